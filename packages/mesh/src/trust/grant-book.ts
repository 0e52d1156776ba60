import { roleIncludes } from '@qmtcode/protocol'
import type { Clock, PeerId, Role } from '@qmtcode/protocol'
import type { Aliases } from './aliases.ts'
import { createBanList } from './ban-list.ts'
import type { BanList } from './ban-list.ts'
import { endOf, splitChains } from './grant.ts'
import type { Chain, Grants } from './grant.ts'
import { createHeldChains } from './held-chains.ts'
import type { HeldChain } from './held-chains.ts'
import { createJudge } from './judge.ts'
import type { Judge, PersonalWord } from './judge.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import type { BanStatement, MeshBan } from './mesh-ban.ts'

/** What the meshes of this node say of peers: whom they grant what, and whom they ban. Holds only what was verified; what of it counts is judged at each use. */
export interface GrantBook {
  /** The roots whose grants count here: this node's own, and those that it joined. */
  isPinned(root: PeerId): boolean
  pinRoot(root: PeerId): void
  /** What `peerId` may do here by a mesh; its own decisions are not looked at. */
  grantOf(peerId: PeerId): MeshGrant | undefined
  /** The chains of a peer, one a mesh, whether they count or not. */
  chainsOf(peerId: PeerId): readonly HeldChain[]
  /** The chain of a peer in a mesh, under whatever keys; this node's own. */
  chainIn(root: PeerId, peerId: PeerId): HeldChain | undefined
  /** Whether a chain counts now. */
  counts(grants: Grants): boolean
  /** Whether a verified chain of `peerId`, or of this node, counts, and takes the place of the one that is held in its mesh. */
  prevails(peerId: PeerId, shown: Grants): boolean
  keep(peerId: PeerId, chain: Chain): void
  /** A peer has a new key: what was held of the old one is the new one's. */
  move(before: PeerId, after: PeerId): void
  drop(peerId: PeerId): void
  /** This node's own grants, those that count, by their mesh. */
  own(): ({ root: PeerId } & HeldChain)[]
  keepOwn(root: PeerId, chain: Chain): void
  dropOwn(root: PeerId): void
  /** In a mesh of this node. */
  isBanned(peerId: PeerId): boolean
  isBannedIn(root: PeerId, peerId: PeerId): boolean
  /** Whether bans by `by` count now, which stands in the mesh by `above`. */
  mayBan(by: PeerId, above: Grants): boolean
  /** Bans and what lifts them, the newest of each signer on each peer, in the order they came. `order` begins above 0. */
  bansAfter(order: number): { ban: MeshBan; order: number }[]
  /** Whether they count or not. */
  bansOn(root: PeerId, peerId: PeerId): BanStatement[]
  /** What `by` said last of `peerId` in the mesh of `root`. */
  lastBan(root: PeerId, peerId: PeerId, by: PeerId): MeshBan | undefined
  /** False: it is known, or older than what is known, or there is no room for it. */
  addBan(ban: MeshBan): boolean
  /** Roots, bearers and banned ones. */
  peers(): PeerId[]
  /** Whose standing may be another when that of `peerId` is: the peer, and all that came in by it. */
  concerns(peerId: PeerId): PeerId[]
}

export interface MeshGrant {
  role: Role
  root: PeerId
  labels: readonly string[]
  /** Absent: it is the root. */
  until?: number
}

export interface GrantBookComponents {
  clock: Clock
  content: KnownPeersContent
  aliases: Aliases
  personal(peerId: PeerId): PersonalWord
}

export function createGrantBook(components: GrantBookComponents, { self }: { self: PeerId }): GrantBook {
  const { clock, content, aliases, personal } = components
  const { latest } = aliases
  const held = createHeldChains(content, aliases)
  const bans = createBanList(content)
  const isPinned = (root: PeerId): boolean => root === self || content.roots.includes(root)
  const own = createOwnChains(content)
  const chainIn = (root: PeerId, peerId: PeerId): HeldChain | undefined =>
    (latest(peerId) === self ? own() : held.of(latest(peerId))).find(({ grants }) => latest(grants[0].root) === latest(root))
  const judge = createJudge({
    clock,
    aliases,
    isPinned,
    personal,
    heldIn: (root, bearer) => chainIn(root, bearer)?.grants,
    wordsOn: bans.wordsOn,
  })
  const isBanned = (peerId: PeerId): boolean =>
    wordsOnAll(bans, aliases.all(peerId)).some(({ root }) => isPinned(root) && judge.isBannedIn(root, peerId))

  return {
    isPinned,
    pinRoot(root) {
      if (!isPinned(root)) content.roots.push(root)
    },
    grantOf(peerId) {
      if (content.roots.includes(peerId)) return { role: 'admin', root: peerId, labels: [] }
      return bestOf(held.of(peerId), judge)
    },
    chainsOf: held.of,
    chainIn,
    counts: (grants) => judge.roleBy(grants) !== undefined,
    prevails(peerId, shown) {
      const known = chainIn(shown[0].root, peerId)
      return judge.roleBy(shown) !== undefined && (!known || judge.prevails(shown, known.grants))
    },
    keep(peerId, chain) {
      for (const shown of splitChains(chain)) held.keep(peerId, shown)
    },
    move: held.move,
    drop: held.drop,
    own: () => own().flatMap((mine) => (judge.roleBy(mine.grants) === undefined ? [] : [{ root: mine.grants[0].root, ...mine }])),
    keepOwn(root, chain) {
      content.own[root] = [...chain]
    },
    dropOwn(root) {
      delete content.own[root]
    },
    isBanned,
    isBannedIn: judge.isBannedIn,
    mayBan: judge.mayBan,
    bansAfter: bans.after,
    bansOn: bans.on,
    lastBan: bans.wordOf,
    addBan: bans.add,
    concerns: held.concerns,
    peers: () => [...new Set([...content.roots, ...held.peers(), ...bans.peers().filter(isBanned)])].filter((peerId) => peerId !== self),
  }
}

const wordsOnAll = (bans: BanList, ids: readonly PeerId[]): BanStatement[] => ids.flatMap((id) => bans.wordsOn(id))

/** Meshes do not outweigh each other: the greatest of what they give counts. */
function bestOf(chains: readonly HeldChain[], judge: Judge): MeshGrant | undefined {
  let best: MeshGrant | undefined
  for (const { grants } of chains) {
    const role = judge.roleBy(grants)
    const last = grants.at(-1) ?? grants[0]
    if (role === undefined || (best && roleIncludes(best.role, role))) continue
    best = { role, root: last.root, labels: last.labels ?? [], until: endOf(grants) }
  }
  return best
}

/** This node's own chains, parsed again only where one was replaced. */
function createOwnChains(content: Pick<KnownPeersContent, 'own'>): () => HeldChain[] {
  const parsed = new Map<Chain, HeldChain[]>()
  return () => {
    const chains = Object.values(content.own)
    for (const chain of parsed.keys()) if (!chains.some((own) => own === chain)) parsed.delete(chain)
    for (const chain of chains) if (!parsed.has(chain)) parsed.set(chain, splitChains(chain))
    return [...parsed.values()].flat()
  }
}
