import type { PeerId } from '@qmtcode/protocol'
import type { KnownPeersContent } from './known-peers-file.ts'
import { readBan } from './mesh-ban.ts'
import type { BanStatement, MeshBan } from './mesh-ban.ts'

/**
 * The bans of this node's meshes, verified by whoever adds them. Of each signer the newest word on a peer counts, so that the order in which
 * words arrive changes nothing; the root's word that lifts a ban outweighs all that is not newer.
 */
export interface BanList {
  isBannedIn(root: PeerId, peerId: PeerId): boolean
  /** Every signer's last word. */
  on(root: PeerId, peerId: PeerId): BanStatement[]
  rootsOf(peerId: PeerId): PeerId[]
  peers(): PeerId[]
  after(order: number): { ban: MeshBan; order: number }[]
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
  const bySigner = new Map<PeerId, number>()
  let inOrder: Kept[] = []
  let order = 0

  const keep = (ban: MeshBan, statement: BanStatement): Kept => {
    const { peer, root, by } = statement
    const of = byPeer.get(peer) ?? []
    const known = of.find((kept) => kept.statement.root === root && kept.statement.by === by)
    order += 1
    const kept = { ban, statement, order }
    byPeer.set(peer, [...of.filter((other) => other !== known), kept])
    inOrder = [...inOrder.filter((other) => other !== known), kept]
    if (!known) bySigner.set(by, (bySigner.get(by) ?? 0) + 1)
    return kept
  }
  for (const ban of content.bans) keep(ban, readBan(ban))

  const on = (root: PeerId, peerId: PeerId): BanStatement[] =>
    (byPeer.get(peerId) ?? []).flatMap(({ statement }) => (statement.root === root ? statement : []))
  const lastOf = ({ root, peer, by }: BanStatement): BanStatement | undefined => on(root, peer).find((statement) => statement.by === by)

  return {
    on,
    isBannedIn(root, peerId) {
      const words = on(root, peerId)
      const lifting = words.find(({ by, lifted }) => by === root && lifted)
      return words.some(({ at, lifted }) => lifted !== true && (lifting === undefined || at > lifting.at))
    },
    rootsOf: (peerId) => [...new Set((byPeer.get(peerId) ?? []).map(({ statement }) => statement.root))],
    peers: () => [...byPeer.keys()],
    after: (from) => inOrder.filter((kept) => kept.order > from).map((kept) => ({ ban: kept.ban, order: kept.order })),
    add(ban) {
      const statement = readBan(ban)
      const { root, by, at } = statement
      const last = lastOf(statement)
      if (last && last.at >= at) return false
      const isMore = last === undefined
      if (isMore && inOrder.length >= MAX_BANS) return false
      if (isMore && by !== root && (bySigner.get(by) ?? 0) >= MAX_BANS_OF_AN_ADMIN) return false
      keep(ban, statement)
      content.bans.splice(0, content.bans.length, ...inOrder.map((kept) => kept.ban))
      return true
    },
  }
}
