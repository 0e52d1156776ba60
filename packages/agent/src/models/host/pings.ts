import type { ModelPart } from '@qmtcode/protocol'

export interface PingTimes {
  /** Silence before the first ping: it tells the caller early that its call was taken. */
  firstMs: number
  everyMs: number
}

type Result = IteratorResult<ModelPart, undefined>

const DONE: Result = { done: true, value: undefined }
const pingResult = (): Result => ({ done: false, value: { type: 'ping' } })

/**
 * `parts`, with a ping part wherever the model is silent for long while somebody reads; one `next` at a time.
 * By hand and with one timer for all of its parts: a generator and a timer a token would cost more than the token.
 */
export function withPings(parts: AsyncIterable<ModelPart>, { firstMs, everyMs }: PingTimes): AsyncIterableIterator<ModelPart> {
  const source = parts[Symbol.asyncIterator]()
  let waiting: PromiseWithResolvers<Result> | undefined
  let isPulling = false
  let isOver = false
  /** What came after its reader was given a ping: the next one's. */
  let held: { result: Result } | { error: unknown } | undefined
  let isFirst = true
  let timer: NodeJS.Timeout | undefined

  const end = (): void => {
    isOver = true
    clearTimeout(timer)
  }
  /** The first silence is over: from now on it may be longer. */
  const afterFirst = (): void => {
    if (!isFirst) return
    isFirst = false
    clearTimeout(timer)
    timer = undefined
  }
  const takeReader = (): typeof waiting => {
    const reader = waiting
    waiting = undefined
    return reader
  }
  /** Nobody waits: a slow reader is not the model's silence. */
  const strike = (): void => {
    const reader = takeReader()
    if (!reader) return
    afterFirst()
    reader.resolve(pingResult())
  }
  const listen = (): void => {
    if (timer) timer.refresh()
    else timer = setTimeout(strike, isFirst ? firstMs : everyMs)
  }
  const arrived = (result: IteratorResult<ModelPart>): void => {
    isPulling = false
    if (isOver) return
    afterFirst()
    if (result.done) end()
    const given = result.done ? DONE : result
    const reader = takeReader()
    if (reader) reader.resolve(given)
    else held = { result: given }
  }
  const failed = (error: unknown): void => {
    isPulling = false
    if (isOver) return
    end()
    const reader = takeReader()
    if (reader) reader.reject(error)
    else held = { error }
  }
  const iterator: AsyncIterableIterator<ModelPart> = {
    // oxlint-disable-next-line typescript/promise-function-async -- an async function would cost a turn for each token
    next() {
      if (held) {
        const given = held
        held = undefined
        return 'result' in given ? Promise.resolve(given.result) : Promise.reject(given.error)
      }
      if (isOver) return Promise.resolve(DONE)
      waiting = Promise.withResolvers<Result>()
      const { promise } = waiting
      listen()
      if (!isPulling) {
        isPulling = true
        source.next().then(arrived, failed)
      }
      return promise
    },
    return() {
      if (!isOver) source.return?.().catch(() => {}) // what it still says concerns nobody
      end()
      held = undefined
      return Promise.resolve(DONE)
    },
    [Symbol.asyncIterator]: () => iterator,
  }
  return iterator
}
