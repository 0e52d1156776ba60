import type { Clock } from '@qmtcode/protocol'

/** Takes at most `limit` per key in any `windowMs`; forgets keys that are idle. */
export interface RateWindow {
  take(key: string): boolean
}

const MAX_KEYS = 10_000

export function createRateWindow(components: { clock: Clock }, options: { limit: number; windowMs: number }): RateWindow {
  const taken = new Map<string, number[]>()
  return {
    take(key) {
      const now = components.clock.monotonic()
      const recent = (taken.get(key) ?? []).filter((at) => now - at < options.windowMs)
      taken.delete(key)
      if (taken.size >= MAX_KEYS) taken.delete(taken.keys().next().value ?? '')
      const free = recent.length < options.limit
      if (free) recent.push(now)
      taken.set(key, recent)
      return free
    },
  }
}
