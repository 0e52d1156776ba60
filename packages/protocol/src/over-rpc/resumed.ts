import { AppError, isAppError, toAppError } from '../errors.ts'
import type { AppErrorOptions } from '../errors.ts'

export interface ResumedOptions {
  /** How long a lost link may be away. 0: its loss is the stream's end. */
  graceMs: number
  /** The node at the other end, for messages. */
  node: string
  signal?: AbortSignal
}

export interface ResumedStreamOptions extends ResumedOptions {
  /** Resolves when the other end answers: for a stream that may stay silent long after it was opened. Default: its first item says so. */
  isBack?(): Promise<unknown>
}

/** What a reader is told between the items. */
export type LinkChange = { type: 'link.lost'; graceMs: number } | { type: 'link.restored' }

/** Opens the stream: at first, or `again` after what was read of it. `signal` ends the attempt. */
export type OpenAgain<Item> = (again: boolean, signal: AbortSignal | undefined) => AsyncIterable<Item>

const RETRY_MS = 250 // where the attempt itself did not wait for the link

/**
 * A stream that outlives its link: after link_lost it is opened again, until that works or `graceMs` are over.
 * The one who opens says from where, so that nothing is missed or repeated. Any other error ends it.
 */
export async function* resumed<Item>(
  open: OpenAgain<Item>,
  options: ResumedStreamOptions,
): AsyncGenerator<Item | LinkChange, void, undefined> {
  const { graceMs, signal } = options
  let items = open(false, signal)[Symbol.asyncIterator]()
  let isOver = false
  try {
    for (;;) {
      let next: IteratorResult<Item>
      try {
        next = await items.next()
      } catch (error) {
        isOver = true
        if (!isAppError(error, 'link_lost') || signal?.aborted || graceMs === 0) throw error
        yield { type: 'link.lost', graceMs }
        const back = await reopen(open, error, options)
        items = back.items
        isOver = false
        yield { type: 'link.restored' }
        if (!back.first) continue
        next = back.first
      }
      if (next.done) {
        isOver = true
        return
      }
      yield next.value
    }
  } finally {
    if (!isOver) await items.return?.()
  }
}

export interface RetriedOptions extends ResumedOptions {
  /** Whether the call waits for the link after this error of it, instead of ending with it. */
  waitsAfter(error: AppError): boolean
}

/** `call`, and again until it met the link, for as long as `waitsAfter` says so and at most `graceMs`. */
export async function retried<Value>(call: () => Promise<Value>, options: RetriedOptions): Promise<Value> {
  try {
    return await call()
  } catch (error) {
    if (!isAppError(error) || options.signal?.aborted || options.graceMs === 0 || !options.waitsAfter(error)) throw error
    return await untilBack(() => call(), error, options)
  }
}

interface Reopened<Item> {
  items: AsyncIterator<Item>
  /** Absent: not read yet. */
  first?: IteratorResult<Item>
}

async function reopen<Item>(open: OpenAgain<Item>, lost: AppError, options: ResumedStreamOptions): Promise<Reopened<Item>> {
  const { signal, isBack } = options
  if (isBack) {
    await untilBack((givenUp) => untilAborted(isBack(), signal ? [givenUp, signal] : [givenUp]), lost, { ...options, waitsAfter: isAway })
    return { items: open(true, signal)[Symbol.asyncIterator]() }
  }
  return await untilBack(
    async (givenUp) => {
      const items = open(true, signal ? AbortSignal.any([signal, givenUp]) : givenUp)[Symbol.asyncIterator]()
      return { items, first: await items.next() }
    },
    lost,
    { ...options, waitsAfter: isAway },
  )
}

const isAway = (error: AppError): boolean => isAppError(error, 'link_lost', 'peer_unreachable')

/** Runs `attempt` until it meets the link. Its signal aborts when the grace is over before. */
async function untilBack<Value>(
  attempt: (givenUp: AbortSignal) => Promise<Value>,
  lost: AppError,
  { graceMs, node, signal, waitsAfter }: RetriedOptions,
): Promise<Value> {
  const grace = new AbortController()
  const timer = setTimeout(() => grace.abort(notBack(node, graceMs, { cause: lost })), graceMs)
  try {
    for (;;) {
      try {
        return await attempt(grace.signal)
      } catch (error) {
        if (signal?.aborted) throw error
        grace.signal.throwIfAborted()
        if (!isAppError(error) || !waitsAfter(error)) throw error
      }
      await pause(RETRY_MS, [grace.signal, ...(signal ? [signal] : [])])
      grace.signal.throwIfAborted()
      if (signal?.aborted) throw toAppError(signal.reason)
    }
  } finally {
    clearTimeout(timer)
  }
}

function notBack(node: string, graceMs: number, options: AppErrorOptions): AppError {
  return new AppError('link_lost', `lost the link to ${node}, and it did not come back within ${graceMs / 1_000} s`, {
    ...options,
    hint: `try: qmtcode doctor ${node}; the time is [mesh] stream_reconnect_grace_secs`,
  })
}

/** `promise`, unless a signal aborts before: then its reason. */
async function untilAborted<Value>(promise: Promise<Value>, signals: readonly AbortSignal[]): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const any = AbortSignal.any([...signals])
  const onAbort = (): void => reject(toAppError(any.reason))
  any.addEventListener('abort', onAbort)
  if (any.aborted) onAbort()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    any.removeEventListener('abort', onAbort)
  }
}

/** Ends early, without an error, when one of the signals aborts. */
function pause(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      for (const signal of signals) signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    for (const signal of signals) signal.addEventListener('abort', done)
  })
}
