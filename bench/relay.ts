import type { Bench } from './support/bench.ts'
import { deltasAFrame } from './support/deltas.ts'
import type { DeltaKind } from './support/deltas.ts'
import { openPair } from './support/pair.ts'
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
  async run(context) {
    const caller = await openPair(context)
    const rows = []
    for (const kind of ['block', 'token'] as const) {
      for (const way of WAYS) await caller.call(way, { kind, ms: WARM_MS })
      const results = await interleaved(context.rounds, WAYS, (way) => caller.call<number>(way, { kind, ms: ROUND_MS }))
      const perSecond = sides(results, WAYS, (way, index) => results[index]?.[way] ?? Number.NaN)
      const note = `${deltasAFrame(kind)} a frame on both sides; deltas/s: ${perSecond}`
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
