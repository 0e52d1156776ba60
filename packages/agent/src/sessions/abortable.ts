import type { SessionEvent } from '@qmtcode/protocol'

/** An iterable whose `return` ends a `next` that waits, and whose signal need not be the caller's. */
export function abortable(start: (signal: AbortSignal) => AsyncGenerator<SessionEvent>, outer?: AbortSignal): AsyncIterable<SessionEvent> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = new AbortController()
      const events = start(outer ? AbortSignal.any([outer, inner.signal]) : inner.signal)
      return {
        next: () => events.next(),
        return: (value) => {
          inner.abort()
          return events.return(value)
        },
      }
    },
  }
}
