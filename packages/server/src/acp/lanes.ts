/** Work of one key runs one after the other, in the order in which it was given; work of different keys side by side. */
export interface Lanes {
  /** Begins at once where nothing of its key runs. What fails holds up nothing behind it. */
  run<Value>(key: string, work: () => Promise<Value>): Promise<Value>
  /** Resolves when all that was given before has run. Never rejects. */
  settled(): Promise<void>
}

export function createLanes(): Lanes {
  const tails = new Map<string, Promise<void>>()

  return {
    run: (key, work) => {
      const before = tails.get(key)
      const result = before ? before.then(work) : work()
      const tail: Promise<void> = result
        .then(
          () => {},
          () => {}, // whoever gave the work hears of it
        )
        .finally(() => {
          if (tails.get(key) === tail) tails.delete(key)
        })
      tails.set(key, tail)
      return result
    },
    settled: async () => {
      await Promise.all(tails.values())
    },
  }
}
