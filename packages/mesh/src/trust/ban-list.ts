import type { PeerId } from '@qmtcode/protocol'
import { readChain } from './grant.ts'
import { decide } from './judge.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { readBan } from './mesh-ban.ts'
import type { BanStatement, MeshBan } from './mesh-ban.ts'
import { createShares } from './shares.ts'
import type { Owner } from './shares.ts'

/**
 * The bans of this node's meshes, verified by whoever adds them; which of them count is judged when they are used. Of each signer the newest
 * word on a peer is kept, so that the order in which words arrive changes nothing.
 */
export interface BanList {
  /** `counts`: whether a word of another than the root does. Default: each. */
  isBannedIn(root: PeerId, peerId: PeerId, counts?: (by: PeerId) => boolean): boolean
  /** Every signer's last word on a peer, in all meshes. */
  wordsOn(peerId: PeerId): BanStatement[]
  /** Every signer's last word in one mesh. */
  on(root: PeerId, peerId: PeerId): BanStatement[]
  /** What `by` said last, as it travels. */
  wordOf(root: PeerId, peerId: PeerId, by: PeerId): MeshBan | undefined
  peers(): PeerId[]
  after(order: number): { ban: MeshBan; order: number }[]
  /** False: it is known, or older than what is known, or there is no room for it. */
  add(ban: MeshBan): boolean
}

interface Kept {
  ban: MeshBan
  statement: BanStatement
  order: number
}

const MAX_BANS = 5_000
const MAX_BANS_OF_AN_ADMIN = 500

/** Reads `content.bans`, and keeps them in line. */
export function createBanList(content: Pick<KnownPeersContent, 'bans'>): BanList {
  const byPeer = new Map<PeerId, Kept[]>()
  const inOrder = new Set<Kept>()
  const shares = createShares<Kept>({ max: MAX_BANS, maxPerSigner: MAX_BANS_OF_AN_ADMIN })
  let order = 0

  const of = (peerId: PeerId): readonly Kept[] => byPeer.get(peerId) ?? []
  const same = ({ root, peer, by }: BanStatement): Kept | undefined =>
    of(peer).find(({ statement }) => statement.root === root && statement.by === by)
  function drop(gone: Kept): void {
    const { peer } = gone.statement
    const left = of(peer).filter((kept) => kept !== gone)
    if (left.length > 0) byPeer.set(peer, left)
    else byPeer.delete(peer)
    inOrder.delete(gone)
    shares.remove(gone)
  }
  function keep(ban: MeshBan, statement: BanStatement): void {
    const known = same(statement)
    if (known) drop(known)
    order += 1
    const kept = { ban, statement, order }
    byPeer.set(statement.peer, [...of(statement.peer), kept])
    inOrder.add(kept)
    shares.add(kept, ownerOf(ban, statement))
  }
  /** One's own word of the earliest date goes for a later one: what had to go does not come back by another peer. */
  function makeRoom(ban: MeshBan, statement: BanStatement): boolean {
    const group = shares.givesWay(ownerOf(ban, statement))
    if (!group) return true
    const [first, ...rest] = group.things
    const oldest = rest.reduce((old, kept) => (old && kept.statement.at >= old.statement.at ? old : kept), first)
    if (!oldest || (group.isOwn && oldest.statement.at >= statement.at)) return false
    drop(oldest)
    return true
  }
  for (const ban of content.bans) keep(ban, readBan(ban))

  const wordsOn = (peerId: PeerId): BanStatement[] => of(peerId).map(({ statement }) => statement)
  const on = (root: PeerId, peerId: PeerId): BanStatement[] => wordsOn(peerId).filter((word) => word.root === root)
  return {
    wordsOn,
    on,
    wordOf: (root, peerId, by) => of(peerId).find(({ statement }) => statement.root === root && statement.by === by)?.ban,
    isBannedIn: (root, peerId, counts = () => true) => decide(on(root, peerId), counts),
    peers: () => [...byPeer.keys()],
    after: (from) => [...inOrder].filter((kept) => kept.order > from).map((kept) => ({ ban: kept.ban, order: kept.order })),
    add(ban) {
      const statement = readBan(ban)
      const known = same(statement)
      if (known && known.statement.at >= statement.at) return false
      if (!known && !makeRoom(ban, statement)) return false
      keep(ban, statement)
      content.bans.splice(0, content.bans.length, ...[...inOrder].map((kept) => kept.ban))
      return true
    },
  }
}

function ownerOf({ chain }: MeshBan, { root, by }: BanStatement): Owner {
  const first = by === root ? undefined : readChain(chain)[0]
  return { isRoot: by === root, branch: `${root} ${first?.to ?? by}`, signer: by }
}
