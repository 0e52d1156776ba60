import { join } from 'node:path'
import type { PeerId } from '@qmtcode/protocol'
import type { Bench } from './support/bench.ts'
import { deltasAFrame } from './support/deltas.ts'
import type { DeltaKind } from './support/deltas.ts'
import type { Place } from './support/mesh.ts'
import { interleaved, rowOf, sides } from './support/rounds.ts'

const WARM_MS = 2_000
const ROUND_MS = 2_000
const WAYS = ['mesh', 'socket'] as const
const KINDS: Record<DeltaKind, string> = {
  block: 'deltas of 4 kB on one stream against a TLS socket',
  token: 'token deltas (50 B) on one stream against a TLS socket',
}

/** What the mesh costs beside encryption: deltas through a model stream against the same frames over a bare TLS socket. */
export const relay: Bench = {
  name: 'relay',
  async run({ children, directory, rounds }) {
    const reader = children.role(new URL('roles/relay-reader.ts', import.meta.url))
    const host = children.role(new URL('roles/relay-host.ts', import.meta.url))
    const own = join(directory, 'reader')
    const guest = await reader.call<PeerId>('identity', { directory: own })
    const place = await host.call<Place>('openMesh', { directory: join(directory, 'host'), guest })
    await reader.call('open', { directory: own, host: place, port: await host.call<number>('openSocket') })
    const rows = []
    for (const kind of ['block', 'token'] as const) {
      for (const way of WAYS) await reader.call(way, { kind, ms: WARM_MS })
      const results = await interleaved(rounds, WAYS, (way) => reader.call<number>(way, { kind, ms: ROUND_MS }))
      const note = `${deltasAFrame(kind)} a frame on both sides; deltas/s: ${sides(results, WAYS, (way, index) => results[index]?.[way] ?? Number.NaN)}`
      rows.push(
        rowOf(
          { bench: 'relay', what: KINDS[kind], unit: '×', budget: { atLeast: 0.6 }, note },
          results.map(({ mesh, socket }) => mesh / socket),
        ),
      )
    }
    return rows
  },
}
