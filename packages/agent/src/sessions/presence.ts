import type { Author } from '@qmtcode/protocol'

/** Who follows one session. A person on two terminals of one node is there once. */
export interface Presence {
  join(author: Author): void
  leave(author: Author): void
  list(): Author[]
  /** Changes whenever `list` does. */
  readonly key: string
}

/** `onChange` is called once for all that came and went within a tick, if anything is different after it. */
export function createPresence(onChange: () => void): Presence {
  const present = new Map<string, { author: Author; count: number }>()
  let told = ''
  let isPlanned = false

  const presence: Presence = {
    join: (author) => {
      const found = present.get(keyOf(author))
      if (found) found.count += 1
      else present.set(keyOf(author), { author, count: 1 })
      plan()
    },
    leave: (author) => {
      const found = present.get(keyOf(author))
      if (!found) return
      found.count -= 1
      if (found.count === 0) present.delete(keyOf(author))
      plan()
    },
    list: () => [...present.keys()].sort().flatMap((key) => present.get(key)?.author ?? []),
    get key() {
      return [...present.keys()].sort().join('\n')
    },
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
