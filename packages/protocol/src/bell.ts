/** Wakes those who wait for a change. It remembers no ring: who waits looks first, and looks again after. */
export interface Bell {
  ring(): void
  /** Resolves at the next ring, after `timeoutMs`, or when `signal` aborts; never rejects. */
  heard(options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>
}

export function createBell(): Bell {
  const waiting = new Set<() => void>()
  return {
    ring() {
      for (const wake of waiting) wake()
    },
    async heard({ timeoutMs, signal } = {}) {
      if (signal?.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const wake = (): void => resolve()
      const timer = timeoutMs === undefined ? undefined : setTimeout(wake, timeoutMs)
      waiting.add(wake)
      signal?.addEventListener('abort', wake)
      await promise
      clearTimeout(timer)
      waiting.delete(wake)
      signal?.removeEventListener('abort', wake)
    },
  }
}
