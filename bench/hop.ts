import type { Bench, Budget, Row } from './support/bench.ts'
import type { Role } from './support/children.ts'
import { openHop } from './support/hop.ts'
import type { Sequential } from './support/load.ts'
import { interleaved, rowOf, sides } from './support/rounds.ts'
import type { Latency } from './support/stats.ts'

const WARM_MS = 3_000
const ROUND_MS = 2_000
const IN_FLIGHT = 32
const STREAMS = 50
const FAST = 'fast'
const PACED = 'paced-10-300' // 100 tokens a second, for 3 s
const WAYS = ['direct', 'mesh'] as const
type Way = (typeof WAYS)[number]
type Pairs<Result> = Record<Way, Result>[]

/** A model call over one hop against the same provider in the caller's own process; both stream from the same mock. */
export const hop: Bench = {
  name: 'hop',
  async run(context) {
    const { caller } = await openHop(context)
    await warm(caller)
    const measure = <Result>(once: (way: Way) => Promise<Result>): Promise<Pairs<Result>> => interleaved(context.rounds, WAYS, once)
    const calls = await measure((way) => caller.call<Sequential>('sequential', { way, model: FAST, ms: ROUND_MS }))
    const rates = await measure((way) => caller.call<number>('throughput', { way, model: FAST, inFlight: IN_FLIGHT, ms: ROUND_MS }))
    const gaps = await measure((way) => caller.call<Latency>('tokenGaps', { way, model: PACED, streams: STREAMS }))
    return [...callRows(calls), ...rateRows(rates), ...gapRows(gaps)]
  },
}

/** Unoptimised code is ten times slower; a cold host measures the compiler. */
async function warm(caller: Role): Promise<void> {
  for (const way of WAYS) {
    await caller.call('throughput', { way, model: FAST, inFlight: IN_FLIGHT, ms: WARM_MS })
    await caller.call('sequential', { way, model: FAST, ms: WARM_MS / 3 })
    await caller.call('tokenGaps', { way, model: PACED, streams: STREAMS })
  }
}

function callRows(calls: Pairs<Sequential>): Row[] {
  return [
    added(calls, 'one hop, a call of 15 parts: added p50', { budget: { atMost: 1 }, pick: ({ p50 }) => p50 }),
    added(calls, 'one hop, a call of 15 parts: added p99', { budget: { atMost: 5 }, pick: ({ p99 }) => p99 }),
    added(calls, 'one hop: added time to first token, p50', { budget: { atMost: 2 }, pick: ({ firstTokenP50 }) => firstTokenP50 }),
  ]
}

function rateRows(rates: Pairs<number>): Row[] {
  const note = sides(rates, WAYS, (way, index) => rates[index]?.[way] ?? Number.NaN)
  return [
    rowOf(
      { bench: 'hop', what: `one hop, ${IN_FLIGHT} in flight: calls/s`, unit: '/s', budget: { atLeast: 800 } },
      rates.map(({ mesh }) => mesh),
    ),
    rowOf(
      { bench: 'hop', what: `one hop, ${IN_FLIGHT} in flight: share of direct`, unit: '%', budget: { atLeast: 70 }, note },
      rates.map(({ mesh, direct }) => (100 * mesh) / direct),
    ),
  ]
}

function gapRows(gaps: Pairs<Latency>): Row[] {
  const load = `${STREAMS} streams × 100 tokens/s`
  return [
    added(gaps, `${load}: added gap between tokens, p50`, { budget: { atMost: 1 }, pick: ({ p50 }) => p50 }),
    added(gaps, `${load}: added gap between tokens, p99`, { budget: { atMost: 5 }, pick: ({ p99 }) => p99 }),
  ]
}

function added<Result>(pairs: Pairs<Result>, what: string, { budget, pick }: { budget: Budget; pick(result: Result): number }): Row {
  const note = sides(pairs, WAYS, (way, index) => {
    const pair = pairs[index]
    return pair ? pick(pair[way]) : Number.NaN
  })
  return rowOf(
    { bench: 'hop', what, unit: 'ms', budget, note },
    pairs.map(({ mesh, direct }) => pick(mesh) - pick(direct)),
  )
}
