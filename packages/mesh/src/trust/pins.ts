import { AppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { peerIdOf, parseDialAddress } from '../addresses/multiaddrs.ts'
import type { ConfiguredPeer } from '../node-types.ts'
import type { KnownPeersContent } from './known-peers-file.ts'

const NAMES_PER_PEER = 8

export interface PinsOptions {
  configured: readonly ConfiguredPeer[]
  /** This node's. */
  name?: string
}

/** Which id stands behind a configured or an advertised name. */
export interface Pins {
  /** The id of a configured peer: written in the configuration, or pinned at first contact. */
  idOf(peer: ConfiguredPeer): PeerId | undefined
  configuredAs(peerId: PeerId): ConfiguredPeer | undefined
  /** Pins the id that answered. True: it is new. Throws conflict when another was there, naming both. */
  pinConfigured(peer: ConfiguredPeer, answered: PeerId): boolean
  /** Pins an advertised name. `taken`: another id bore it first, or it is this node's, a configured peer's, or one that a person gave. */
  pinName(peerId: PeerId, name: string): 'new' | 'known' | 'taken'
  /** The name that `peerId` advertises, if it is its own. */
  advertisedName(peerId: PeerId): string | undefined
  idOfName(name: string): PeerId | undefined
  /** Whether `name` means another than `peerId`. */
  isTaken(name: string, peerId: PeerId): boolean
  forget(peerId: PeerId): void
  /** What was pinned to one id is pinned to another. */
  move(before: PeerId, after: PeerId): void
}

export function createPins(content: KnownPeersContent, { configured, name: ownName }: PinsOptions): Pins {
  const current = new Map<PeerId, string>(Object.entries(content.names).map(([name, peerId]) => [peerId, name]))
  const pinned = (name: string): PeerId | undefined => (Object.hasOwn(content.pins, name) ? content.pins[name] : undefined)
  const named = (name: string): PeerId | undefined => (Object.hasOwn(content.names, name) ? content.names[name] : undefined)
  // Read once: every stream that anybody opens asks who its peer is.
  const written = new Map(configured.map((peer) => [peer, writtenId(peer)]))
  const byWrittenId = new Map(configured.toReversed().flatMap((peer) => (written.get(peer) ? [[written.get(peer), peer] as const] : [])))
  const unwritten = configured.filter((peer) => written.get(peer) === undefined)
  const idOf = (peer: ConfiguredPeer): PeerId | undefined => written.get(peer) ?? pinned(peer.name)
  const isTaken = (name: string, peerId: PeerId): boolean => {
    const ofConfigured = configured.find((peer) => peer.name === name)
    if (ofConfigured) return idOf(ofConfigured) !== peerId
    const isGiven = Object.entries(content.peers).some(([id, entry]) => entry.name === name && id !== peerId)
    return isGiven || name === ownName || (named(name) ?? peerId) !== peerId
  }
  return {
    idOf,
    isTaken,
    configuredAs: (peerId) => byWrittenId.get(peerId) ?? unwritten.find((peer) => pinned(peer.name) === peerId),
    pinConfigured(peer, answered) {
      const expected = idOf(peer)
      if (expected === answered) return false
      if (expected) throw changedId(peer, { expected, answered, isSigned: content.peers[expected]?.movedTo === answered })
      content.pins[peer.name] = answered
      return true
    },
    pinName(peerId, name) {
      const owner = named(name)
      if (isTaken(name, peerId)) return 'taken'
      const count = Object.values(content.names).filter((id) => id === peerId).length
      if (!owner && count >= NAMES_PER_PEER) return 'taken'
      content.names[name] = peerId
      current.set(peerId, name)
      return owner ? 'known' : 'new'
    },
    advertisedName(peerId) {
      const name = current.get(peerId)
      return name !== undefined && named(name) === peerId ? name : undefined
    },
    idOfName: named,
    forget(peerId) {
      for (const [name, id] of Object.entries(content.pins)) if (id === peerId) delete content.pins[name]
      for (const [name, id] of Object.entries(content.names)) if (id === peerId) delete content.names[name]
      current.delete(peerId)
    },
    move(before, after) {
      for (const [name, id] of Object.entries(content.pins)) if (id === before) content.pins[name] = after
      for (const [name, id] of Object.entries(content.names)) if (id === before) content.names[name] = after
      const name = current.get(before)
      if (name !== undefined) current.set(after, name)
      current.delete(before)
    },
  }
}

/** The id that the configuration gives a peer. Throws bad_config when `peer_id` and the address name two. */
export function writtenId(peer: ConfiguredPeer): PeerId | undefined {
  const ofAddress = peer.addr === undefined ? undefined : peerIdOf(parseDialAddress(peer.addr))
  if (peer.peerId && ofAddress && peer.peerId !== ofAddress) {
    throw new AppError('bad_config', `peer ${peer.name} has two peer ids: ${peer.peerId} in peer_id, ${ofAddress} in addr`)
  }
  return peer.peerId ?? ofAddress
}

/** The line as it is written, and as it is to be. */
function lineChange({ name, addr, peerId }: ConfiguredPeer, expected: PeerId, answered: PeerId): string {
  const [key, written] = peerId === undefined ? ['addr', addr ?? ''] : ['peer_id', peerId]
  return `in [[mesh.peers]] ${name}, replace ${key} = "${written}" by ${key} = "${written.replace(expected, answered)}"`
}

interface ChangedId {
  expected: PeerId
  answered: PeerId
  /** The old key said that the new one stands for it. */
  isSigned: boolean
}

function changedId(peer: ConfiguredPeer, { expected, answered, isSigned }: ChangedId): AppError {
  const where = peer.addr ?? 'its address'
  if (writtenId(peer)) {
    return new AppError('conflict', `${where} answers as ${answered}, but ${peer.name} is configured as ${expected}`, {
      hint: `${isSigned ? 'the old key signed the new one' : `nothing signed by the old key was shown: ask its person; if ${peer.name} has a new identity`}: ${lineChange(peer, expected, answered)}`,
    })
  }
  return new AppError('conflict', `${where} answers as ${answered}, but ${peer.name} was ${expected} at first contact`, {
    hint: `if ${peer.name} has a new identity: qmtcode peers forget ${expected}`,
  })
}
