import type { Author } from '@qmtcode/protocol'

/** Who follows one session. A person on two terminals of one node is there once. */
export interface Presence {
  join(author: Author): void
  /** `heldMs`: for so long it is there still, unless it joins again before: then it was never away. */
  leave(author: Author, heldMs?: number): void
  list(): Author[]
  /** Changes whenever `list` does. */
  readonly key: string
  /** Nobody is held any more. */
  stop(): void
}

/** `onChange` is called once for all that came and went within a tick, if anything is different after it. */
export function createPresence(onChange: () => void): Presence {
  const present = new Map<string, { author: Author; count: number }>()
  const held = new Map<string, NodeJS.Timeout[]>()
  let told = ''
  let isPlanned = false

  const presence: Presence = {
    join: (author) => {
      const timer = held.get(keyOf(author))?.pop()
      if (timer) return clearTimeout(timer)
      const found = present.get(keyOf(author))
      if (found) found.count += 1
      else present.set(keyOf(author), { author, count: 1 })
      plan()
    },
    leave: (author, heldMs = 0) => {
      if (heldMs === 0) return gone(author)
      const timers = held.get(keyOf(author)) ?? []
      held.set(keyOf(author), timers)
      const timer = setTimeout(() => {
        timers.splice(timers.indexOf(timer), 1)
        gone(author)
      }, heldMs)
      timers.push(timer.unref())
    },
    stop: () => {
      for (const timer of [...held.values()].flat()) clearTimeout(timer)
      held.clear()
    },
    list: () => [...present.keys()].sort().flatMap((key) => present.get(key)?.author ?? []),
    get key() {
      return [...present.keys()].sort().join('\n')
    },
  }
  const gone = (author: Author): void => {
    const found = present.get(keyOf(author))
    if (!found) return
    found.count -= 1
    if (found.count === 0) {
      present.delete(keyOf(author))
      held.delete(keyOf(author))
    }
    plan()
  }
  const plan = (): void => {
    if (isPlanned) return
    isPlanned = true
    setImmediate(() => {
      isPlanned = false
      if (presence.key === told) return
      told = presence.key
      onChange()
    })
  }
  return presence
}

/** One key for one author. */
export const keyOf = ({ peerId, node, user }: Author): string => JSON.stringify([node, user ?? '', peerId ?? ''])
