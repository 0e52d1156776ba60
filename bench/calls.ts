import type { Bench } from './support/bench.ts'
import type { Sequential } from './support/load.ts'
import { openPair } from './support/pair.ts'
import { rowOf } from './support/rounds.ts'
import { short } from './support/stats.ts'

const WARM_MS = 1_000
const ROUND_MS = 1_000
const BURST = 1_000

/** Rpc without models: a small question and its answer between two nodes. */
export const calls: Bench = {
  name: 'calls',
  async run(context) {
    const caller = await openPair(context)
    await caller.call('roundTrips', { ms: WARM_MS })
    await caller.call('burst', { calls: BURST })
    const trips: Sequential[] = []
    const bursts: number[] = []
    for (let round = 0; round < context.rounds; round += 1) {
      trips.push(await caller.call('roundTrips', { ms: ROUND_MS }))
      bursts.push(await caller.call('burst', { calls: BURST }))
    }
    const p50s = trips.map(({ p50 }) => p50)
    const worst = Math.max(...trips.map(({ p99 }) => p99))
    return [
      rowOf({ bench: 'calls', what: 'a call and its answer on a kept stream, p50', unit: 'ms', note: `p99 at most ${short(worst)}` }, p50s),
      rowOf({ bench: 'calls', what: '1,000 calls at the same time to one peer, until all are answered', unit: 'ms' }, bursts),
    ]
  },
}
