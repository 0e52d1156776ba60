import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock, KnownPeer, Logger, PeerId } from '@qmtcode/protocol'
import type { KnownPeersContent } from './known-peers-file.ts'
import { openBan, readBan, signBan } from './mesh-ban.ts'
import type { MeshBan, OpenedBan } from './mesh-ban.ts'
import type { TrustBook } from './trust-book.ts'

/** Bans in this node's meshes: its own words, and those of others that count. */
export interface Banning {
  /** See `Trust.ban` with `mesh`. */
  ban(peerId: PeerId): Promise<KnownPeer>
  /** See `Trust.unban`. */
  unban(peerId: PeerId): Promise<KnownPeer>
  /** Keeps a ban that a peer told. False: it is known, of a mesh that is not ours, or of a signer that may not ban now. Throws where it is forged. */
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
      if (!(await trust.update(() => grants.addBan(ban), peerId))) {
        throw new AppError('busy', `${peerId} is banned here, but in the mesh this node has as many bans as fit`, {
          hint: 'take one back: qmtcode peers unban NAME',
        })
      }
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
      const { at, lifted, peer, by, root } = readBan(ban)
      if (!grants.isPinned(root) || (grants.bansOn(root, peer).find((word) => word.by === by)?.at ?? -1) >= at) return false
      const opened = await openBan(ban)
      if (!mayBeKept(opened, components)) {
        log.debug('a ban does not count now', { peerId: peer, by, root, at })
        return false
      }
      const isNew = await trust.update(() => grants.addBan(ban), peer)
      if (!isNew) return false
      log.warn(lifted ? 'a ban in the mesh was lifted' : 'banned in the mesh', { peerId: peer, by, root })
      tell()
      return true
    },
    onBan: (listener) => listeners.push(listener),
  }
}

type Given = Pick<BanningComponents, 'clock' | 'key' | 'trust' | 'content'>

/** A date beyond it is of a wrong clock, or of one that wants the last word. */
const MAX_AHEAD_MS = 86_400_000

/** The root's words are kept whatever their date; an admin's, while it is one. Which of them count is judged when they are used. */
function mayBeKept({ by, at, above }: OpenedBan, { clock, trust }: Pick<Given, 'clock' | 'trust'>): boolean {
  return above === undefined || (at <= clock.now() + MAX_AHEAD_MS && trust.grants.mayBan(by, above))
}

async function signedBan(peerId: PeerId, { clock, key, trust, content }: Given, { self }: { self: PeerId }): Promise<MeshBan> {
  if (content.roots.includes(peerId)) throw new AppError('forbidden', `${peerId} is the root of a mesh: no ban of it counts there`)
  const { grants } = trust
  const here = `to ban it at this node alone: qmtcode peers ban ${peerId}`
  const held = grants.chainsOf(peerId)
  const mine = held.find((chain) => chain.grants.some(({ by }) => by === self))
  const root = mine?.grants[0].root ?? self
  if (!mine && held.length > 0) {
    throw new AppError('forbidden', `this node is no ancestor of the grant of ${peerId}: its ban would not count`, {
      hint: `${here}; in the mesh: on one of ${held.flatMap((chain) => chain.grants.map(({ by }) => by)).join(', ')}`,
    })
  }
  if (root !== self && !grants.own().some((own) => own.root === root && own.grants.at(-1)?.role === 'admin')) {
    throw new AppError('forbidden', `this node is not an admin of the mesh ${root} now: its ban would not count`, { hint: here })
  }
  if (root !== self && grants.bansOn(root, peerId).some(({ by, lifted }) => by === root && lifted)) {
    throw new AppError('forbidden', `the root of the mesh lifted a ban of ${peerId}: only the root bans it there again`, {
      hint: `${here}; in the mesh: on the root ${root}`,
    })
  }
  return await signBan({ root, peer: peerId, by: self, at: afterOwn(root, peerId, { clock, trust, self }) }, mine?.chain ?? [], key)
}

/** What takes this node's word against `peerId` back in each mesh; of its own mesh: everybody's. Throws forbidden where others' words hold. */
async function signedLiftings(peerId: PeerId, { clock, key, trust, content }: Given, { self }: { self: PeerId }): Promise<MeshBan[]> {
  const { grants } = trust
  const liftings: MeshBan[] = []
  for (const root of [self, ...content.roots]) {
    const words = grants.bansOn(root, peerId)
    const last = words.find(({ by }) => by === self)
    const isOpen = root === self ? !last?.lifted && words.some(({ lifted }) => !lifted) : last !== undefined && !last.lifted
    if (!isOpen && root !== self && grants.isBannedIn(root, peerId)) {
      throw new AppError('forbidden', `${peerId} is banned in the mesh by another than this node`, {
        hint: `there it is lifted by who banned it, or by the root ${root}; at this node alone: qmtcode peers admit ${peerId}`,
      })
    }
    if (!isOpen) continue
    const at = afterOwn(root, peerId, { clock, trust, self })
    const chain = grants.lastBan(root, peerId, self)?.chain ?? []
    liftings.push(await signBan({ root, peer: peerId, by: self, at, lifted: true }, chain, key))
  }
  if (liftings.length === 0 && trust.standing(peerId).state !== 'banned') throw new AppError('not_found', `${peerId} is not banned here`)
  return liftings
}

/** After this node's last word on the peer. Others' dates do not matter to the root's word, and an admin speaks for itself. */
const afterOwn = (root: PeerId, peerId: PeerId, { clock, trust, self }: Pick<Given, 'clock' | 'trust'> & { self: PeerId }): number =>
  Math.max(clock.now(), ...trust.grants.bansOn(root, peerId).flatMap(({ by, at }) => (by === self ? at + 1 : [])))
