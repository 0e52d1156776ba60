/** Handles typed lines one after the other, in their order. */
export interface LineQueue {
  add(line: string): void
  /** What is under way may end as it likes; nothing more begins and nothing more is told. */
  stop(): void
}

export function createLineQueue(handle: (line: string) => Promise<void>, onError: (error: unknown) => void): LineQueue {
  let last: Promise<void> = Promise.resolve()
  let stopped = false
  const run = async (line: string): Promise<void> => {
    if (!stopped) await handle(line)
  }
  return {
    add: (line) => {
      last = last
        .then(() => run(line))
        .catch((error: unknown) => {
          if (!stopped) onError(error)
        })
    },
    stop: () => (stopped = true),
  }
}
