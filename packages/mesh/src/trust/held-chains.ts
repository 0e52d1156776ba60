import type { PeerId } from '@qmtcode/protocol'
import type { Aliases } from './aliases.ts'
import { MAX_MESHES, splitChains } from './grant.ts'
import type { Chain, Grants } from './grant.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { createShares } from './shares.ts'
import type { Owner } from './shares.ts'

export interface HeldChain {
  chain: Chain
  grants: Grants
}

/** The chains that peers showed, read once: every stream that anybody opens asks who its peer is. */
export interface HeldChains {
  of(peerId: PeerId): readonly HeldChain[]
  /** In place of the one that is held in the same mesh. */
  keep(peerId: PeerId, shown: HeldChain): void
  drop(peerId: PeerId): void
  peers(): Iterable<PeerId>
  /** What was held of one id is the other's, where it holds none in that mesh. */
  move(before: PeerId, after: PeerId): void
  /** A peer under all its ids, and the bearers of chains that it granted in, however far below. */
  concerns(peerId: PeerId): PeerId[]
}

const MAX_GRANTS = 5_000
const MAX_GRANTS_BY_AN_ADMIN = 1_000

/** Keeps `content.grants` in line. */
export function createHeldChains(content: Pick<KnownPeersContent, 'grants'>, { latest, all }: Aliases): HeldChains {
  const byPeer = new Map<PeerId, HeldChain[]>()
  const bearers = new Map<HeldChain, PeerId>()
  /** By who granted in them. */
  const byGranter = new Map<PeerId, Set<HeldChain>>()
  const shares = createShares<HeldChain>({ max: MAX_GRANTS, maxPerSigner: MAX_GRANTS_BY_AN_ADMIN })
  const of = (peerId: PeerId): readonly HeldChain[] => byPeer.get(peerId) ?? []

  function write(peerId: PeerId, chains: HeldChain[]): void {
    if (chains.length > 0) {
      byPeer.set(peerId, chains)
      content.grants[peerId] = chains.flatMap(({ chain }) => chain)
    } else {
      byPeer.delete(peerId)
      delete content.grants[peerId]
    }
  }
  function remove(gone: HeldChain): void {
    const peerId = bearers.get(gone)
    if (peerId === undefined) return
    bearers.delete(gone)
    shares.remove(gone)
    for (const { by } of gone.grants) byGranter.get(by)?.delete(gone)
    write(
      peerId,
      of(peerId).filter((chain) => chain !== gone),
    )
  }
  function keep(peerId: PeerId, shown: HeldChain): void {
    const root = latest(shown.grants[0].root)
    for (const known of of(peerId)) if (latest(known.grants[0].root) === root) remove(known)
    const [oldestMesh] = of(peerId)
    if (oldestMesh && of(peerId).length >= MAX_MESHES) remove(oldestMesh)
    const owner = ownerOf(shown.grants)
    const [oldest] = shares.givesWay(owner)?.things ?? []
    if (oldest) remove(oldest)
    const kept = { chain: shown.chain, grants: shown.grants }
    bearers.set(kept, peerId)
    shares.add(kept, owner)
    for (const { by } of kept.grants) byGranter.set(by, (byGranter.get(by) ?? new Set()).add(kept))
    write(peerId, [...of(peerId), kept])
  }
  const drop = (peerId: PeerId): void => {
    for (const chain of of(peerId)) remove(chain)
  }
  for (const [peerId, chains] of Object.entries(content.grants)) for (const chain of splitChains(chains)) keep(peerId as PeerId, chain)

  return {
    of,
    keep,
    drop,
    peers: () => byPeer.keys(),
    move(before: PeerId, after: PeerId): void {
      const isNew = ({ grants }: HeldChain): boolean => !of(after).some((known) => latest(known.grants[0].root) === latest(grants[0].root))
      const moving = of(before).filter(isNew)
      drop(before)
      for (const chain of moving) keep(after, chain)
    },
    concerns(peerId) {
      const concerned = new Set([peerId, ...all(latest(peerId))])
      for (const id of concerned) {
        for (const chain of byGranter.get(id) ?? []) {
          const bearer = bearers.get(chain)
          if (bearer !== undefined) concerned.add(bearer)
        }
      }
      return [...concerned]
    },
  }
}

function ownerOf(grants: Grants): Owner {
  const last = grants.at(-1) ?? grants[0]
  return { isRoot: grants.length === 1, branch: `${last.root} ${grants.length === 1 ? last.root : grants[0].to}`, signer: last.by }
}
