import { latencyOf } from './stats.ts'
import type { Latency } from './stats.ts'

/** One call to its end. `onToken` is told of each token as it comes. */
export type Call = (onToken?: () => void) => Promise<void>

export interface Sequential extends Latency {
  /** Time to the first token, median. */
  firstTokenP50: number
}

/** Calls one after the other for `ms`. */
export async function sequential(call: Call, ms: number): Promise<Sequential> {
  const durations: number[] = []
  const firstTokens: number[] = []
  const until = performance.now() + ms
  for (let startedAt = performance.now(); startedAt < until; startedAt = performance.now()) {
    let firstToken = Number.NaN
    await call(() => {
      if (Number.isNaN(firstToken)) firstToken = performance.now() - startedAt
    })
    durations.push(performance.now() - startedAt)
    if (!Number.isNaN(firstToken)) firstTokens.push(firstToken)
  }
  return { ...latencyOf(durations), firstTokenP50: latencyOf(firstTokens).p50 }
}

/** Calls a second with `inFlight` callers that never pause, over `ms`. */
export async function throughput(call: Call, { inFlight, ms }: { inFlight: number; ms: number }): Promise<number> {
  const startedAt = performance.now()
  let calls = 0
  const work = async (): Promise<void> => {
    while (performance.now() - startedAt < ms) {
      await call()
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work))
  return (1_000 * calls) / (performance.now() - startedAt)
}

/** Gaps between the tokens of each of `streams` calls at the same time. */
export async function tokenGaps(call: Call, streams: number): Promise<Latency> {
  const gaps: number[] = []
  await Promise.all(
    Array.from({ length: streams }, async () => {
      let last = Number.NaN
      await call(() => {
        const now = performance.now()
        if (!Number.isNaN(last)) gaps.push(now - last)
        last = now
      })
    }),
  )
  return latencyOf(gaps)
}
