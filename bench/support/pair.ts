import { join } from 'node:path'
import type { PeerId } from '@qmtcode/protocol'
import type { BenchContext } from './bench.ts'
import type { Role } from './children.ts'
import type { Place } from './mesh.ts'

/** Two processes with nothing but a mesh node each, and a TLS socket between them. Resolves with the calling one. */
export async function openPair({ children, directory }: BenchContext): Promise<Role> {
  const caller = children.role(new URL('../roles/pair-caller.ts', import.meta.url))
  const host = children.role(new URL('../roles/pair-host.ts', import.meta.url))
  const own = join(directory, 'caller')
  const guest = await caller.call<PeerId>('identity', { directory: own })
  const place = await host.call<Place>('openMesh', { directory: join(directory, 'host'), guest })
  await caller.call('open', { directory: own, host: place, port: await host.call<number>('openSocket') })
  return caller
}
