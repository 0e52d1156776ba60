import { AppError, LIMITS } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { ownerOf } from './owner.ts'
import type { GossipEntry, GossipSet } from './types.ts'

/** An entry and what it says; `value` undefined: its author removed it. */
export interface Kept<Value> {
  entry: GossipEntry
  value: Value | undefined
  /** Who brought it; undefined: this node's own. */
  from?: PeerId
  /** `Date.now()` of its arrival. */
  at: number
}

/** A set in memory: the newest entry of each key, bounded, and deaf to what it has let go. */
export interface KeptSet<Value> extends GossipSet {
  /** Takes an entry of this node's own and has it pushed. */
  put(entry: GossipEntry): void
  read(key: string): Kept<Value> | undefined
  all(): IterableIterator<Kept<Value>>
  ofAuthor(author: PeerId): Kept<Value>[]
  /** Lets a key go; the same version of it, which others may still hold, is not taken again. */
  drop(key: string): void
  dropAuthor(author: PeerId): void
  /** Every change, of this node or by gossip. Returns how to leave. */
  onUpdate(listener: (key: string) => void): () => void
}

export interface KeptSetOptions<Value> {
  name: string
  self: PeerId
  /** What a payload says. Throws bad_request for what its author may not say. Not asked for removals. */
  parse(entry: GossipEntry): Value
  /** Entries of one author; beyond them its oldest go. */
  maxPerAuthor: number
  /** Default: LIMITS.gossipEntries. */
  maxEntries?: number
  /** In a full set their entries take the place of others'. Default: nobody's. */
  isPreferred?(author: PeerId): boolean
  now?(): number
}

export function createKeptSet<Value>(options: KeptSetOptions<Value>): KeptSet<Value> {
  const { name, self, parse, maxPerAuthor, maxEntries = LIMITS.gossipEntries, isPreferred = () => false, now = Date.now } = options
  const kept = new Map<string, Kept<Value>>()
  const byAuthor = new Map<PeerId, Set<string>>()
  const dropped = new Map<string, number>()
  const changes = createListeners()
  const updates = createListeners()

  const isNewer = (key: string, version: number): boolean =>
    version > (kept.get(key)?.entry.version ?? -1) && version > (dropped.get(key) ?? -1)
  /** A key to give up for one of `author`. */
  const makesWay = (author: PeerId): string | undefined => {
    if (!isPreferred(author)) return undefined
    for (const key of kept.keys()) if (ownerOf(key) !== self && !isPreferred(ownerOf(key))) return key
    return undefined
  }
  const hasRoom = (key: string): boolean => {
    const author = ownerOf(key)
    if (kept.has(key) || kept.size < maxEntries) return true
    return (byAuthor.get(author)?.size ?? 0) >= maxPerAuthor || makesWay(author) !== undefined
  }
  function remove(key: string): void {
    const gone = kept.get(key)
    if (!gone) return
    kept.delete(key)
    const keys = byAuthor.get(gone.entry.author)
    keys?.delete(key)
    if (keys?.size === 0) byAuthor.delete(gone.entry.author)
    dropped.delete(key)
    dropped.set(key, gone.entry.version)
    for (const oldest of dropped.keys()) if (dropped.size > 2 * maxEntries) dropped.delete(oldest)
  }
  function store(entry: GossipEntry, value: Value | undefined, from?: PeerId): void {
    const { key, author } = entry
    kept.delete(key) // to the end: the order of the map is that of arrival
    kept.set(key, { entry, value, from, at: now() })
    const keys = byAuthor.get(author) ?? new Set()
    byAuthor.set(author, keys)
    keys.delete(key)
    keys.add(key)
    while (keys.size > maxPerAuthor) {
      const oldest = oldestOf(keys, kept)
      remove(oldest)
      updates.tell(oldest)
    }
  }
  function drop(key: string): void {
    if (!kept.has(key)) return
    remove(key)
    changes.tell(key)
    updates.tell(key)
  }
  return {
    name,
    maxEntries,
    *digest() {
      for (const [key, { entry }] of kept) yield [key, entry.version]
    },
    get: (key) => kept.get(key)?.entry,
    wants: (key, version) => ownerOf(key) !== self && isNewer(key, version) && hasRoom(key),
    async merge(entry, from) {
      if (entry.author === self || !isNewer(entry.key, entry.version)) return 'known'
      const value = entry.payload === '' ? undefined : parse(entry)
      const way = kept.has(entry.key) || kept.size < maxEntries ? undefined : makesWay(entry.author)
      if (!hasRoom(entry.key)) throw new AppError('busy', `${name} holds ${maxEntries} entries already`)
      if (way !== undefined) remove(way)
      store(entry, value, from)
      updates.tell(entry.key)
      return kept.has(entry.key) ? 'news' : 'known'
    },
    onChange: changes.add,
    onUpdate: updates.add,
    forget(author) {
      for (const key of byAuthor.get(author) ?? []) {
        remove(key)
        dropped.delete(key) // it may come back, with the same versions
        updates.tell(key)
      }
    },
    put(entry) {
      store(entry, entry.payload === '' ? undefined : parse(entry))
      changes.tell(entry.key)
      updates.tell(entry.key)
    },
    read: (key) => kept.get(key),
    all: () => kept.values(),
    ofAuthor: (author) => [...(byAuthor.get(author) ?? [])].flatMap((key) => kept.get(key) ?? []),
    drop,
    dropAuthor(author) {
      for (const key of byAuthor.get(author) ?? []) drop(key)
    },
  }
}

/** What its author said longest ago. */
function oldestOf(keys: Iterable<string>, kept: ReadonlyMap<string, Kept<unknown>>): string {
  const rank = (key: string): number => kept.get(key)?.entry.version ?? 0
  return [...keys].reduce((oldest, key) => (rank(key) < rank(oldest) ? key : oldest))
}

function createListeners(): { add(listener: (key: string) => void): () => void; tell(key: string): void } {
  const listeners = new Set<(key: string) => void>()
  return {
    add(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    tell(key) {
      for (const listener of listeners) listener(key)
    },
  }
}
