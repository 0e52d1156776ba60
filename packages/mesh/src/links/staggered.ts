/**
 * Attempts in order, the next one beginning when the last failed or after `staggerMs`, until one succeeds; the others' signals are aborted then.
 * Rejects with what `worse` makes of all failures; with `signal`'s reason when that aborts.
 */
export function staggered<Item, Failure>(
  items: readonly Item[],
  attempt: (item: Item, signal: AbortSignal) => Promise<void>,
  options: { staggerMs: number; signal: AbortSignal; worse(before: Failure | undefined, failure: unknown, item: Item): Failure },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const over = new AbortController()
  const signal = AbortSignal.any([options.signal, over.signal])
  const queue = [...items]
  let underWay = 0
  let worst: Failure | undefined
  let timer: NodeJS.Timeout | undefined

  function next(): void {
    clearTimeout(timer)
    const item = queue.shift()
    if (item === undefined) {
      if (underWay === 0) reject(worst ?? new Error('nothing was attempted'))
      return
    }
    underWay += 1
    timer = setTimeout(next, options.staggerMs)
    attempt(item, signal).then(resolve, (error: unknown) => failed(error, item))
  }
  function failed(error: unknown, item: Item): void {
    underWay -= 1
    worst = options.worse(worst, error, item)
    next()
  }
  const onAbort = (): void => reject(options.signal.reason)
  options.signal.addEventListener('abort', onAbort, { once: true })
  if (options.signal.aborted) onAbort()
  else next()
  return promise.finally(() => {
    clearTimeout(timer)
    queue.length = 0
    over.abort()
    options.signal.removeEventListener('abort', onAbort)
  })
}
