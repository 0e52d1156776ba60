/** Does what typed lines ask for, one after the other, in their order. */
export interface LineQueue {
  add(work: () => Promise<void>): void
  /** What is under way may end as it likes; nothing more begins and nothing more is told. */
  stop(): void
}

export function createLineQueue(onError: (error: unknown) => void): LineQueue {
  let last: Promise<void> = Promise.resolve()
  let stopped = false
  const run = async (work: () => Promise<void>): Promise<void> => {
    if (!stopped) await work()
  }
  return {
    add: (work) => {
      last = last
        .then(() => run(work))
        .catch((error: unknown) => {
          if (!stopped) onError(error)
        })
    },
    stop: () => (stopped = true),
  }
}
