import type { Clock } from '@qmtcode/protocol'

/** How much one peer may still send: a bucket that fills again over time. */
export interface Allowance {
  /** Takes `amount`, if it is there. */
  take(amount: number): boolean
  /** Milliseconds until `amount` is there; 0: now. */
  waitFor(amount: number): number
}

export function createAllowance(components: { clock: Clock }, options: { perSecond: number; burst: number }): Allowance {
  const { clock } = components
  const { perSecond, burst } = options
  let left = burst
  let at = clock.monotonic()
  const refill = (): void => {
    const now = clock.monotonic()
    left = Math.min(burst, left + ((now - at) / 1_000) * perSecond)
    at = now
  }
  return {
    take(amount) {
      refill()
      if (left < amount) return false
      left -= amount
      return true
    },
    waitFor(amount) {
      refill()
      return Math.max(0, Math.ceil(((Math.min(amount, burst) - left) / perSecond) * 1_000))
    },
  }
}
