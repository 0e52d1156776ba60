/** For tests: one sender, and followers that hear all from when they came. */
export interface Broadcast<Event> {
  send(event: Event): void
  /** First `before`, then what is sent, until `signal` aborts. */
  follow(before: readonly Event[], signal: AbortSignal | undefined): AsyncGenerator<Event>
  followers(): number
}

export function createBroadcast<Event>(): Broadcast<Event> {
  const followers = new Set<(event: Event) => void>()
  return {
    send: (event) => followers.forEach((follower) => follower(event)),
    followers: () => followers.size,
    follow: async function* (before, signal) {
      const pending = [...before]
      let wake = (): void => {}
      const follower = (event: Event): void => {
        pending.push(event)
        wake()
      }
      followers.add(follower)
      signal?.addEventListener('abort', () => wake())
      try {
        for (;;) {
          if (signal?.aborted) return
          const event = pending.shift()
          if (event) yield event
          else await new Promise<void>((resolve) => (wake = resolve))
        }
      } finally {
        followers.delete(follower)
      }
    },
  }
}
