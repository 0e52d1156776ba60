import type { Clock } from '@qmtcode/protocol'

/** Places whose last call of a model failed. They are passed over for a while, longer after each further failure, until one of their calls is answered. */
export interface Cooling {
  failed(key: string, why: string): void
  served(key: string): void
  /** Why it is passed over now; undefined: it may be asked. */
  problem(key: string): string | undefined
}

const FIRST_MS = 15_000
const MAX_MS = 300_000
const MAX_KEPT = 1_000

interface Failure {
  why: string
  at: number
  times: number
}

export function createCooling(clock: Pick<Clock, 'monotonic'>): Cooling {
  const failures = new Map<string, Failure>()
  return {
    failed(key, why) {
      const times = (failures.get(key)?.times ?? 0) + 1
      failures.delete(key)
      failures.set(key, { why, at: clock.monotonic(), times })
      const [oldest] = failures.keys()
      if (failures.size > MAX_KEPT && oldest !== undefined) failures.delete(oldest)
    },
    served: (key) => failures.delete(key),
    problem(key) {
      const failure = failures.get(key)
      if (!failure) return undefined
      const ageMs = clock.monotonic() - failure.at
      if (ageMs >= Math.min(FIRST_MS * 2 ** (failure.times - 1), MAX_MS)) return undefined
      return `passed over, since it failed ${Math.round(ageMs / 1_000)} s ago: ${failure.why}`
    },
  }
}
