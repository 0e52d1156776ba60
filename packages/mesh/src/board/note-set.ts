import { LIMITS } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import type { GossipEntry, GossipSet } from '../gossip/types.ts'
import { isAhead, noteOfKey, readNoteEntry } from './note-entry.ts'
import type { NoteEntry } from './note-entry.ts'

/**
 * The entries of all boards' notes. Merging takes no order: of each key the greatest version stays, of each speaker the
 * newest 1,000 notes that it speaks of. So sides of a partition that meet again hold the same.
 */
export interface NoteSet extends GossipSet {
  all(): Iterable<NoteEntry>
  /** How many entries. */
  readonly size: number
  /** Everything that is said of one note. */
  of(noteId: string): NoteEntry[]
  /** An entry of this node; told to others. */
  put(entry: GossipEntry): void
}

export interface NoteSetOptions {
  /** What was kept from before. */
  entries: readonly GossipEntry[]
  /** Resolves when it is on disk; `taken` runs then, before anything else is written there. */
  keep(entry: GossipEntry, taken: () => void): Promise<void>
  /** What of the set a person sees may be another now. */
  changed(): void
  /** In a full set only what others say gives way: who makes up authors fills no room of theirs. Default: nobody. */
  isPreferred?(speaker: PeerId): boolean
}

export function createNoteSet({ entries, keep, changed, isPreferred = () => false }: NoteSetOptions): NoteSet {
  const byKey = new Map<string, NoteEntry>()
  const byNote = new Map<string, Map<string, NoteEntry>>()
  /** Of each speaker the notes it speaks of, as they sort. */
  const bySpeaker = new Map<PeerId, string[]>()
  const listeners = new Set<(key: string) => void>()

  function drop(held: NoteEntry): void {
    byKey.delete(held.entry.key)
    const said = byNote.get(held.noteId)
    said?.delete(held.entry.key)
    if (said?.size === 0) byNote.delete(held.noteId)
    const keys = bySpeaker.get(held.entry.author) ?? []
    keys.splice(keys.indexOf(held.entry.key), 1)
    if (keys.length === 0) bySpeaker.delete(held.entry.author)
  }
  function take(note: NoteEntry): void {
    const { key, author } = note.entry
    const before = byKey.get(key)
    if (before) drop(before)
    byKey.set(key, note)
    byNote.set(note.noteId, (byNote.get(note.noteId) ?? new Map<string, NoteEntry>()).set(key, note))
    const keys = bySpeaker.get(author) ?? []
    const after = keys.findLastIndex((other) => compare(numberOf(other), numberOf(key)) <= 0)
    keys.splice(after + 1, 0, key)
    bySpeaker.set(author, keys)
    const oldest = keys.length > LIMITS.notesPerNode ? byKey.get(keys[0] ?? '') : undefined
    if (oldest) drop(oldest)
    if (byKey.size > LIMITS.gossipEntries) dropOfTheLongest()
  }
  function dropOfTheLongest(): void {
    const others = [...bySpeaker].filter(([speaker]) => !isPreferred(speaker))
    const [, keys] = (others.length > 0 ? others : [...bySpeaker]).reduce((longest, next) =>
      next[1].length > longest[1].length ? next : longest,
    )
    const oldest = byKey.get(keys[0] ?? '')
    if (oldest) drop(oldest)
  }
  const hasRoomFor = (speaker: PeerId): boolean =>
    byKey.size < LIMITS.gossipEntries || isPreferred(speaker) || [...bySpeaker.keys()].some((other) => !isPreferred(other))
  function isKept(key: string, author: PeerId): boolean {
    const keys = bySpeaker.get(author) ?? []
    if (byKey.has(key)) return true
    if (keys.length >= LIMITS.notesPerNode) return compare(numberOf(key), numberOf(keys[0] ?? '')) > 0
    return hasRoomFor(author)
  }

  for (const entry of entries) take(readNoteEntry(entry))
  return {
    name: 'board',
    maxEntries: LIMITS.gossipEntries,
    digest: function* () {
      for (const [key, { entry }] of byKey) yield [key, entry.version] as const
    },
    get: (key) => byKey.get(key)?.entry,
    wants(key, version) {
      const note = noteOfKey(key)
      if (!note || isAhead(note.noteId) || !isKept(key, key.split('/', 1)[0] as PeerId)) return false
      return version > (byKey.get(key)?.entry.version ?? -1)
    },
    async merge(entry) {
      const note = readNoteEntry(entry)
      if (!isKept(entry.key, entry.author) || entry.version <= (byKey.get(entry.key)?.entry.version ?? -1)) return 'known'
      let isNews = false
      await keep(entry, () => {
        isNews = entry.version > (byKey.get(entry.key)?.entry.version ?? -1) // another may have come meanwhile
        if (isNews) take(note)
      })
      if (!isNews) return 'known'
      changed()
      return 'news'
    },
    put(entry) {
      take(readNoteEntry(entry))
      for (const listener of listeners) listener(entry.key)
      changed()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    forget(author) {
      for (const note of byKey.values()) if (note.entry.author === author || note.noteAuthor === author) drop(note)
      changed()
    },
    all: () => byKey.values(),
    get size() {
      return byKey.size
    },
    of: (noteId) => [...(byNote.get(noteId)?.values() ?? [])],
  }
}

const numberOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1)
const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))
