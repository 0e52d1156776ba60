import type { SessionEvent } from '@qmtcode/protocol'
import { machineMs } from './clock.ts'

/** Milliseconds from publish to receipt, an entry an event. */
export interface Lags {
  deltas: number[]
  durables: number[]
}

/** A text that tells when it was published, `chars` long if that is more. */
export const stampedText = (chars: number): string => `@${machineMs()} `.padEnd(chars, 'x')

/** Notes how old each stamp of an event is. A delta may be several that were joined on the way. */
export function noteLags({ deltas, durables }: Lags, event: SessionEvent): void {
  const [kind, text] =
    event.type === 'message.delta' ? [deltas, event.text] : [durables, event.type === 'message.completed' ? event.text : '']
  const now = machineMs()
  for (const [, stamp] of text.matchAll(/@([\d.]+)/g)) kind.push(now - Number(stamp))
}
