import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { ModelPart } from '@qmtcode/protocol'
import { createKeptParts } from './kept-parts.ts'

/** A model call that may outlive the link of its caller. While nobody reads, it goes on by itself, as far as it has room. */
export interface ResumableCall {
  /** The parts from number `after` on. An earlier reader ends with link_lost. Throws not_found for parts that are not kept. */
  read(after: number, options: { signal?: AbortSignal; isResumed: boolean }): AsyncIterableIterator<ModelPart>
  /** Ends it for good: its source is released, a reader hears the reason. */
  abort(reason: AppError): void
  isRead(): boolean
  /** The model has ended, or the call was aborted. */
  isOver(): boolean
  bytes(): number
}

export interface ResumableCallHooks {
  /** Whether what comes while nobody reads may still be kept. */
  hasRoom(): boolean
  /** It has no reader any more: its link broke, or it was read to its end. */
  onUnread(): void
}

type Result = IteratorResult<ModelPart, undefined>

interface Reader {
  at: number
  /** To be passed on: the link is alive, and the model silent. */
  hasPing: boolean
  waiting?: PromiseWithResolvers<Result>
  /** Lets go of its signal. */
  dispose(): void
}

const DONE: Result = { done: true, value: undefined }
const PING: Result = { done: false, value: { type: 'ping' } as ModelPart }

/** `open` starts the model; its signal aborts with the call. */
export function createResumableCall(open: (signal: AbortSignal) => AsyncIterable<ModelPart>, hooks: ResumableCallHooks): ResumableCall {
  const controller = new AbortController()
  const source = open(controller.signal)[Symbol.asyncIterator]()
  const kept = createKeptParts()
  let end: { error?: AppError } | undefined
  let isPulling = false
  let reader: Reader | undefined

  const pull = (): void => {
    if (isPulling || end) return
    isPulling = true
    source.next().then(arrived, (error: unknown) => over(toAppError(error)))
  }
  const arrived = ({ done, value }: IteratorResult<ModelPart>): void => {
    isPulling = false
    if (end) return
    if (done) return over()
    if (value.type !== 'ping') kept.add(value)
    else if (reader) reader.hasPing = true
    moved()
  }
  const over = (error?: AppError): void => {
    end ??= { error }
    moved()
  }
  const moved = (): void => {
    if (reader) answer(reader)
    else if (hooks.hasRoom()) pull()
  }
  /** Undefined: nothing there yet. Throws the error that was the end. */
  const take = (from: Reader): Result | undefined => {
    const part = kept.get(from.at)
    if (part) {
      from.at += 1
      kept.sent(from.at)
      return { done: false, value: part }
    }
    if (end) {
      release(from)
      hooks.onUnread()
      if (end.error) throw end.error
      return DONE
    }
    if (!from.hasPing) return undefined
    from.hasPing = false
    return PING
  }
  const answer = (to: Reader): void => {
    const { waiting } = to
    if (!waiting) return
    try {
      const result = take(to)
      if (!result) return pull()
      to.waiting = undefined
      waiting.resolve(result)
    } catch (error) {
      to.waiting = undefined
      waiting.reject(error)
    }
  }
  const release = (from: Reader): void => {
    from.dispose()
    if (reader === from) reader = undefined
  }
  /** The reader goes. A lost link leaves the call running; anything else ends it. */
  const leave = (from: Reader, reason: AppError, result?: Result): void => {
    if (reader !== from) return
    release(from)
    if (result) from.waiting?.resolve(result)
    else from.waiting?.reject(reason)
    if (!isAppError(reason, 'link_lost')) abort(reason)
    hooks.onUnread()
    moved()
  }
  const abort = (reason: AppError): void => {
    if (end) return
    end = { error: reason }
    controller.abort(reason)
    source.return?.().catch(() => {}) // what an aborted source still says concerns nobody
    moved()
  }

  return {
    abort,
    isRead: () => reader !== undefined,
    isOver: () => end !== undefined,
    bytes: kept.bytes,
    read(after, { signal, isResumed }) {
      if (after > kept.until()) throw new AppError('bad_request', `part ${after} of a call that has ${kept.until()}`)
      if (after < kept.from()) throw new AppError('not_found', `part ${after} of this call is not kept any more`)
      if (reader) leave(reader, new AppError('link_lost', 'the call goes on over another link'))
      kept.forget(after)
      const onAbort = (): void => leave(own, toAppError(signal?.reason))
      const own: Reader = { at: after, hasPing: isResumed, dispose: () => signal?.removeEventListener('abort', onAbort) }
      reader = own
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort)
      return readerOf(own, {
        isCurrent: () => reader === own,
        take,
        pull,
        leave: () => leave(own, signal?.aborted ? toAppError(signal.reason) : new AppError('cancelled', 'the reader left'), DONE),
      })
    },
  }
}

interface ReaderHooks {
  isCurrent(): boolean
  take(reader: Reader): Result | undefined
  pull(): void
  leave(): void
}

function readerOf(own: Reader, { isCurrent, take, pull, leave }: ReaderHooks): AsyncIterableIterator<ModelPart> {
  const iterator: AsyncIterableIterator<ModelPart> = {
    // oxlint-disable-next-line typescript/promise-function-async -- an async function would cost a turn for each token
    next() {
      if (!isCurrent()) return Promise.resolve(DONE)
      try {
        const result = take(own)
        if (result) return Promise.resolve(result)
      } catch (error) {
        return Promise.reject(error)
      }
      own.waiting = Promise.withResolvers<Result>()
      const { promise } = own.waiting
      pull()
      return promise
    },
    return() {
      leave()
      return Promise.resolve(DONE)
    },
    [Symbol.asyncIterator]: () => iterator,
  }
  return iterator
}
