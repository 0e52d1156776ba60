import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock, KnownPeer, Logger, PeerId } from '@qmtcode/protocol'
import { readChain } from './grant.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { openBan, signBan } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import type { TrustBook } from './trust-book.ts'

/** Bans in this node's meshes: its own words, and those of others that count. */
export interface Banning {
  /** See `Trust.ban` with `mesh`. */
  ban(peerId: PeerId): Promise<KnownPeer>
  /** See `Trust.unban`. */
  unban(peerId: PeerId): Promise<KnownPeer>
  /** Keeps a ban that a peer told. False: it is known, or of a mesh that is not ours. Throws where it does not count. */
  takeBan(ban: MeshBan): Promise<boolean>
  onBan(listener: () => void): void
}

export interface BanningComponents {
  clock: Clock
  log: Logger
  key: Ed25519PrivateKey
  trust: TrustBook
  content: KnownPeersContent
}

export function createBanning(components: BanningComponents, options: { self: PeerId }): Banning {
  const { log, trust } = components
  const { grants } = trust
  const listeners: (() => void)[] = []
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  async function knownPeer(peerId: PeerId): Promise<KnownPeer> {
    const known = (await trust.list()).find((peer) => peer.peerId === peerId)
    return known ?? { peerId, trust: 'unknown', use: false, source: 'person', addresses: [] }
  }
  return {
    async ban(peerId) {
      const ban = await signedBan(peerId, components, options)
      await trust.ban(peerId)
      await trust.update(() => grants.addBan(ban))
      tell()
      return await knownPeer(peerId)
    },
    async unban(peerId) {
      const liftings = await signedLiftings(peerId, components, options)
      await trust.lift(peerId, liftings)
      if (liftings.length > 0) tell()
      return await knownPeer(peerId)
    },
    async takeBan(ban) {
      const { lifted, peer, by, root } = await openBan(ban)
      if (!grants.isPinned(root)) return false
      const isNew = await trust.update(() => grants.addBan(ban))
      if (!isNew) return false
      log.warn(lifted ? 'a ban in the mesh was lifted' : 'banned in the mesh', { peerId: peer, by, root })
      tell()
      return true
    },
    onBan: (listener) => listeners.push(listener),
  }
}

type Given = Pick<BanningComponents, 'clock' | 'key' | 'trust' | 'content'>

async function signedBan(peerId: PeerId, { clock, key, trust, content }: Given, { self }: { self: PeerId }): Promise<MeshBan> {
  if (content.roots.includes(peerId)) throw new AppError('forbidden', `${peerId} is the root of a mesh: nobody bans it there`)
  const chain = trust.grants.chainOf(peerId)
  const above = chain ? readChain(chain) : []
  const root = (above.some(({ by }) => by === self) ? above[0]?.root : undefined) ?? self
  if (chain && root === self && above[0]?.root !== self) {
    throw new AppError('forbidden', `this node is no ancestor of the grant of ${peerId}: its ban would not count`, {
      hint: `ban it here: qmtcode peers ban ${peerId}; in the mesh: on one of ${above.map(({ by }) => by).join(', ')}`,
    })
  }
  return await signBan({ root, peer: peerId, by: self, at: afterAll(root, peerId, { clock, trust }) }, chain ?? [], key)
}

/** What takes this node's word against `peerId` back in each mesh; of its own mesh: everybody's. Throws forbidden where others' words hold. */
async function signedLiftings(peerId: PeerId, { clock, key, trust, content }: Given, { self }: { self: PeerId }): Promise<MeshBan[]> {
  const { grants } = trust
  const liftings: MeshBan[] = []
  const chain = grants.chainOf(peerId) ?? []
  for (const root of [self, ...content.roots]) {
    if (!grants.isBannedIn(root, peerId)) continue
    const last = grants.lastBan(root, peerId, self)
    if (root !== self && (!last || last.lifted)) {
      throw new AppError('forbidden', `${peerId} is banned in the mesh by another than this node`, {
        hint: `there it is lifted by who banned it, or by the root ${root}; at this node alone: qmtcode peers admit ${peerId}`,
      })
    }
    const at = afterAll(root, peerId, { clock, trust })
    liftings.push(await signBan({ root, peer: peerId, by: self, at, lifted: true }, chain, key))
  }
  if (liftings.length === 0 && trust.standing(peerId).state !== 'banned') throw new AppError('not_found', `${peerId} is not banned here`)
  return liftings
}

/** Above every word on the peer that it lifts, or was lifted by. */
const afterAll = (root: PeerId, peerId: PeerId, { clock, trust }: Pick<Given, 'clock' | 'trust'>): number =>
  Math.max(clock.now(), ...trust.grants.bansOn(root, peerId).map((ban) => ban.at + 1))
