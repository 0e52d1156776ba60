import type { Publishing } from './roles/session-host.ts'
import type { Bench, Row } from './support/bench.ts'
import { followOne, lagsUpTo, openCrowd } from './support/crowd.ts'
import { rowOf } from './support/rounds.ts'
import type { Lags } from './support/stamps.ts'
import { latencyOf, median, short } from './support/stats.ts'

const SIZES = [10, 10, 10, 10, 10]
const FOLLOWERS = SIZES.reduce((sum, size) => sum + size)
const WARM_MS = 4_000
const ROUND_MS = 3_000
/** What a fast model says, and a completed message five times a second. */
const PACE: Omit<Publishing, 'ms'> = { deltasPerSecond: 50, deltasPerMessage: 10, deltaChars: 50, messageChars: 500 }

/** Many people in one session: how old an event is when a follower gets it. */
export const followers: Bench = {
  name: 'followers',
  async run(context) {
    const crowd = await openCrowd(context, SIZES)
    await followOne(crowd, SIZES)
    const round = async (ms: number): Promise<Lags> => lagsUpTo(await crowd.host.call<number>('publish', { ...PACE, ms }), crowd.crowds)
    await round(WARM_MS)
    const rounds: Lags[] = []
    for (let count = 0; count < context.rounds; count += 1) rounds.push(await round(ROUND_MS))
    return [
      fanOut(
        'a durable event',
        rounds.map(({ durables }) => durables),
      ), // from before it is written to disk
      fanOut(
        'a delta',
        rounds.map(({ deltas }) => deltas),
      ),
    ]
  },
}

function fanOut(what: string, rounds: readonly number[][]): Row {
  const latencies = rounds.map(latencyOf)
  const p50 = median(latencies.map((latency) => latency.p50))
  const note = `p50 ${short(p50)} ms; ${PACE.deltasPerSecond} deltas/s; 5 processes × 10 nodes`
  return rowOf(
    {
      bench: 'followers',
      what: `${FOLLOWERS} followers of one session: ${what}, from publish to receipt, p99`,
      unit: 'ms',
      budget: { atMost: 20 },
      note,
    },
    latencies.map(({ p99 }) => p99),
  )
}
