import { AppError } from '@qmtcode/protocol'
import type { Components, Interrupt } from '../node-handle.ts'

/** Signals of the process, given to whoever handles them right now. */
export interface Interrupts {
  /** Aborts at the first interrupt that nobody handled. */
  readonly signal: AbortSignal
  /** The terminal is gone: nobody reads or types any more. */
  readonly isHungUp: boolean
  /** `handler` gets all interrupts until it is disposed; the latest handler wins. */
  handle(handler: (interrupt: Interrupt) => void): Disposable
  /** `work`, or `cancelled` as soon as an unhandled interrupt comes; `late` then gets what work still brings. */
  race<Value>(work: Promise<Value>, late?: (value: Value) => Promise<void>): Promise<Value>
  stop(): void
}

export function createInterrupts(components: Pick<Components, 'onInterrupt'>): Interrupts {
  const unhandled = new AbortController()
  const handlers: ((interrupt: Interrupt) => void)[] = []
  const interrupted = (): AppError => new AppError('cancelled', 'interrupted')
  let isHungUp = false
  const stop = components.onInterrupt((interrupt) => {
    if (interrupt === 'SIGHUP' && isHungUp) return // the system and the shell each tell it: once is enough to leave in order
    isHungUp ||= interrupt === 'SIGHUP'
    const handler = handlers.at(-1)
    if (handler) handler(interrupt)
    else unhandled.abort(interrupted())
  })
  return {
    signal: unhandled.signal,
    get isHungUp() {
      return isHungUp
    },
    handle: (handler) => {
      handlers.push(handler)
      return { [Symbol.dispose]: () => handlers.splice(handlers.indexOf(handler), 1) }
    },
    race: async (work, late) => {
      const { promise, reject } = Promise.withResolvers<never>()
      const onAbort = () => reject(interrupted())
      if (unhandled.signal.aborted) onAbort()
      unhandled.signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await Promise.race([work, promise])
      } catch (error) {
        // Nobody waits for the work any more: what it still brings is put away, and its failure is told already.
        if (unhandled.signal.aborted) work.then(late).catch(() => {})
        throw error
      } finally {
        unhandled.signal.removeEventListener('abort', onAbort)
      }
    },
    stop,
  }
}
