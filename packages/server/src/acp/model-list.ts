import type { Logger } from '@qmtcode/protocol'

const FRESH_MS = 30_000
const PATIENCE_MS = 1_000 // peers and model servers are asked: an editor that opens a session does not wait for the slowest

/** Names of the models that can be chosen now. */
export interface ModelList {
  /** What is known within a second. */
  known(): Promise<readonly string[]>
  /** Calls `listener` when a list comes that somebody did not wait for. */
  onLate(listener: () => void): void
}

export function createModelList(components: { models: () => Promise<readonly string[]>; now: () => number; log: Logger }): ModelList {
  const { models, now, log } = components
  let last: readonly string[] = []
  let askedAt = Number.NEGATIVE_INFINITY
  let asking: Promise<void> | undefined
  let isAwaited = true
  const listeners: (() => void)[] = []

  const ask = async (): Promise<void> => {
    try {
      last = await models()
      askedAt = now()
    } catch (error) {
      log.warn('the models cannot be listed', { error: String(error) })
    }
    asking = undefined
    if (!isAwaited) for (const listener of listeners) listener()
    isAwaited = true
  }
  return {
    known: async () => {
      if (now() - askedAt < FRESH_MS) return last
      asking ??= ask()
      const { promise: late, resolve } = Promise.withResolvers<boolean>()
      const timer = setTimeout(resolve, PATIENCE_MS, true)
      const isLate = await Promise.race([asking.then(() => false), late])
      clearTimeout(timer)
      if (isLate) isAwaited = false
      return last
    },
    onLate: (listener) => listeners.push(listener),
  }
}
