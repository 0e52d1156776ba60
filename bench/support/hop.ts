import { join } from 'node:path'
import type { PeerId } from '@qmtcode/protocol'
import type { BenchContext } from './bench.ts'
import type { Role } from './children.ts'
import { startHost } from './product.ts'

/** The three processes of a hop: caller, host, and the model server that answers both. */
export interface Hop {
  caller: Role
  /** Base URL of the mock. */
  mock: string
}

/** Opens `direct` and `mesh` in the caller. */
export async function openHop({ children, directory }: BenchContext): Promise<Hop> {
  const mock = await children.role(new URL('../roles/mock.ts', import.meta.url)).call<string>('listen')
  const caller = children.role(new URL('../roles/caller.ts', import.meta.url))
  const own = join(directory, 'caller')
  const guest = await caller.call<PeerId>('identity', { directory: own })
  const { place } = await startHost(children, { directory: join(directory, 'host'), guests: [guest], mock })
  await caller.call('openMesh', { directory: own, host: place })
  await caller.call('openDirect', { url: mock })
  return { caller, mock }
}
