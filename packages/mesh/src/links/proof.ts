import type { Line } from './link.ts'

// Intervals of pings: 1.5 s and 3.5 s by default.
const SILENT_AFTER = 0.6
const DEAD_AFTER = 1.4

/** Asks a line that may be dead whether it answers: `onSilent` after a while without an answer, `onDead` after a longer one. */
export function prove(line: Line, listener: { onSilent(): void; onDead(): void }, pingMs: number): void {
  if (line.proof !== undefined) return
  const heard = (): number => line.answers + line.meter.bytesIn
  const before = heard()
  const after = (ms: number, next: () => void): void => {
    line.proof = setTimeout(() => {
      line.proof = undefined
      if (heard() === before) next()
    }, ms).unref()
  }
  line.pinger.ask()
  after(SILENT_AFTER * pingMs, () => {
    listener.onSilent()
    after((DEAD_AFTER - SILENT_AFTER) * pingMs, listener.onDead)
  })
}
