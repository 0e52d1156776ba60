import type { Clock, PeerId, Role } from '@qmtcode/protocol'
import { endOf, isCurrent, readChain } from './grant.ts'
import type { Chain, Grant } from './grant.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { createBanList } from './ban-list.ts'
import type { BanStatement, MeshBan } from './mesh-ban.ts'

/** What the meshes of this node say of peers: whom they grant what, and whom they ban. Holds only what was verified. */
export interface GrantBook {
  /** The roots whose grants count here: this node's own, and those that it joined. */
  isPinned(root: PeerId): boolean
  pinRoot(root: PeerId): void
  /** What `peerId` may do here by a mesh; its own decisions are not looked at. */
  grantOf(peerId: PeerId): MeshGrant | undefined
  chainOf(peerId: PeerId): Chain | undefined
  keep(peerId: PeerId, chain: Chain): void
  drop(peerId: PeerId): void
  /** This node's own grants, the current ones, by their mesh. */
  own(): { root: PeerId; chain: Chain; grants: Grant[] }[]
  keepOwn(root: PeerId, chain: Chain): void
  dropOwn(root: PeerId): void
  isBanned(peerId: PeerId): boolean
  /** Bans and what lifts them, the newest of each signer on each peer, in the order they came. `order` begins above 0. */
  bansAfter(order: number): { ban: MeshBan; order: number }[]
  isBannedIn(root: PeerId, peerId: PeerId): boolean
  bansOn(root: PeerId, peerId: PeerId): BanStatement[]
  /** What `by` said last of `peerId` in the mesh of `root`. */
  lastBan(root: PeerId, peerId: PeerId, by: PeerId): BanStatement | undefined
  /** False: it is known, or older than what is known, or there are too many of its signer's. */
  addBan(ban: MeshBan): boolean
  /** Roots, bearers and banned ones. */
  peers(): PeerId[]
}

export interface MeshGrant {
  role: Role
  root: PeerId
  labels: readonly string[]
  /** Absent: it is the root. */
  until?: number
}

const MAX_GRANTS = 5_000

export function createGrantBook(components: { clock: Clock; content: KnownPeersContent }, { self }: { self: PeerId }): GrantBook {
  const { clock, content } = components
  // Every stream that anybody opens asks who its peer is: read once.
  const held = new Map<PeerId, { chain: Chain; grants: Grant[] }>()
  for (const [peerId, chain] of Object.entries(content.grants)) held.set(peerId as PeerId, { chain, grants: readChain(chain) })
  const bans = createBanList(content)

  const isPinned = (root: PeerId): boolean => root === self || content.roots.includes(root)
  const { isBannedIn } = bans
  /** A ban of one that granted takes what it granted with it. */
  const holds = (grants: readonly Grant[]): boolean =>
    grants.every(({ root, to }) => isPinned(root) && !isBannedIn(root, to)) && isCurrent(grants, clock.now())
  const grantOf = (peerId: PeerId): MeshGrant | undefined => {
    if (content.roots.includes(peerId)) return { role: 'admin', root: peerId, labels: [] }
    const grants = held.get(peerId)?.grants
    const last = grants?.at(-1)
    if (!grants || !last || !holds(grants)) return undefined
    return { role: last.role, root: last.root, labels: last.labels ?? [], until: endOf(grants) }
  }
  const drop = (peerId: PeerId): void => {
    held.delete(peerId)
    delete content.grants[peerId]
  }

  return {
    isPinned,
    pinRoot(root) {
      if (!isPinned(root)) content.roots.push(root)
    },
    grantOf,
    chainOf: (peerId) => held.get(peerId)?.chain,
    keep(peerId, chain) {
      drop(peerId)
      for (const oldest of held.keys()) if (held.size >= MAX_GRANTS) drop(oldest)
      held.set(peerId, { chain, grants: readChain(chain) })
      content.grants[peerId] = [...chain]
    },
    drop,
    own: () =>
      Object.values(content.own)
        .map((chain) => ({ chain, grants: readChain(chain) }))
        .flatMap(({ chain, grants }) => (grants[0] && holds(grants) ? [{ root: grants[0].root, chain, grants }] : [])),
    keepOwn(root, chain) {
      content.own[root] = [...chain]
    },
    dropOwn(root) {
      delete content.own[root]
    },
    isBanned: (peerId) => bans.rootsOf(peerId).some((root) => isPinned(root) && isBannedIn(root, peerId)),
    bansAfter: bans.after,
    isBannedIn,
    bansOn: bans.on,
    lastBan: (root, peerId, by) => bans.on(root, peerId).find((ban) => ban.by === by),
    addBan: bans.add,
    peers: () => [...new Set([...content.roots, ...held.keys(), ...bans.peers()])].filter((peerId) => peerId !== self),
  }
}
