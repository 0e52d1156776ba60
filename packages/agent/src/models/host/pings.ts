import type { ModelPart } from '@qmtcode/protocol'

export interface PingTimes {
  /** Silence before the first ping: it tells the caller early that its call was taken. */
  firstMs: number
  everyMs: number
}

const PING = Symbol('ping')

/** `parts`, with a ping part wherever the model is silent for long. */
export async function* withPings(parts: AsyncIterable<ModelPart>, { firstMs, everyMs }: PingTimes): AsyncGenerator<ModelPart> {
  const iterator = parts[Symbol.asyncIterator]()
  let ended = false
  let silentMs = firstMs
  try {
    let next = iterator.next()
    for (;;) {
      const outcome = await within(next, silentMs)
      silentMs = everyMs
      if (outcome === PING) {
        yield { type: 'ping' }
        continue
      }
      if (outcome.done) break
      yield outcome.value
      next = iterator.next()
    }
    ended = true
  } finally {
    if (!ended) iterator.return?.().catch(() => {})
  }
}

function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof PING> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(PING), ms)
    const settle =
      <V>(how: (value: V) => void) =>
      (value: V) => {
        clearTimeout(timer)
        how(value)
      }
    promise.then(settle(resolve), settle(reject))
  })
}
