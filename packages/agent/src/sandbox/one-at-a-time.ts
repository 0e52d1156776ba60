import { isWithin } from '../tools/real-path.ts'

/**
 * Commands of peers in one workspace, or in one inside the other, run one after the other. What one of them writes while the next is
 * being prepared would count as there before, or stand in for a file that is mounted.
 */
export interface OneAtATime {
  /** Waits for those that run. Returns what ends the turn; throws the signal's reason. */
  enter(root: string, signal?: AbortSignal): Promise<() => void>
}

export function createOneAtATime(): OneAtATime {
  const running = new Set<{ root: string; ended: Promise<void> }>()
  const inTheWay = (root: string) => [...running].find((one) => isWithin(one.root, root) || isWithin(root, one.root))
  return {
    enter: async (root, signal) => {
      for (let other = inTheWay(root); other; other = inTheWay(root)) await orAborted(other.ended, signal)
      signal?.throwIfAborted()
      const { promise, resolve } = Promise.withResolvers<undefined>()
      const own = { root, ended: promise.then(() => undefined) }
      running.add(own)
      return () => {
        running.delete(own)
        resolve(undefined)
      }
    },
  }
}

async function orAborted(ended: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  if (!signal) return await ended
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const onAbort = (): void => resolve(undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  await Promise.race([ended, promise])
  signal.removeEventListener('abort', onAbort)
}
