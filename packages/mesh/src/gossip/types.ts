import type { PeerId } from '@qmtcode/protocol'

/**
 * What one node says, signed by it: a record, a session's row, a note. Anybody may carry it, nobody may change it.
 * The signature is over the set's name, key, version and payload, by the ed25519 key in `author`.
 */
export interface GossipEntry {
  /** `author`, or `author/…`: an entry is about what its author has. At most 200 characters. */
  key: string
  author: PeerId
  /** Grows with each entry of a key, also across restarts of its author. */
  version: number
  /** At most LIMITS.gossipEntryBytes; empty: the key is removed. */
  payload: string
  /** Base64. */
  signature: string
}

/**
 * Entries that members keep the same, each node its own copy. The service moves them; the set says what they mean.
 * `createKeptSet` makes one: only a set with rules of its own implements this.
 */
export interface GossipSet {
  /** Letters, digits and `-`; the same on all nodes. */
  readonly name: string
  /** Most entries here, and in a peer's digest: at most LIMITS.gossipEntries. */
  readonly maxEntries: number
  /** Every entry held, removals too. */
  digest(): Iterable<readonly [key: string, version: number]>
  get(key: string): GossipEntry | undefined
  /** Whether such an entry would be news. Asked before anything is fetched, and before a signature is looked at. */
  wants(key: string, version: number): boolean
  /**
   * Takes an entry whose signature holds, whose key is its author's and whose author is not banned here.
   * `news` travels on to all other members. Throws for what its author may not say: that is refused, counted, and not passed on.
   */
  merge(entry: GossipEntry, from: PeerId): Promise<'news' | 'known'>
  /** `listener` hears the keys that changed here, not by `merge`; they are pushed. Returns how to leave. */
  onChange(listener: (key: string) => void): () => void
  /** The author was banned or forgotten here: nothing of it is kept. */
  forget(author: PeerId): void
}

/** Anti-entropy between linked nodes that hold each other as members: digests on connect and every 30 s, changes at once. */
export interface Gossip {
  readonly self: PeerId
  /** Before or after start. Throws conflict for a name that is there. */
  add(set: GossipSet): void
  /** An entry of this node, with the next version. Key: `self/<id>`, or `self` without an id. Throws too_large. */
  sign(set: string, said: { id?: string; payload: string }): Promise<GossipEntry>
  /** When a node was last heard of, and through whom; nothing once it was silent for 15 minutes. */
  contactOf(peerId: PeerId): GossipContact | undefined
  /** `listener` hears of nodes that nobody told of for 15 minutes: what they had may be let go. Returns how to leave. */
  onSilent(listener: (peerId: PeerId) => void): () => void
  /** Linked members, with whom entries are exchanged now. */
  partners(): PeerId[]
  stats(): GossipStats
}

export interface GossipContact {
  /** Milliseconds since 1970. */
  at: number
  /** Who told of it; undefined: a link to it is there, or was. */
  via?: PeerId
}

export interface GossipStats {
  /** Entries that were news, and what was pushed. */
  received: number
  pushed: number
  /** By reason; none of it was passed on. */
  refused: { forged: number; tooLarge: number; tooMany: number; banned: number; malformed: number }
}
