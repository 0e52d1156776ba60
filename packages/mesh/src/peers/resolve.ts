import { AppError } from '@qmtcode/protocol'
import type { PeerId, ResolvedPeer } from '@qmtcode/protocol'
import type { ConfiguredPeer } from '../node-types.ts'
import { COMMON_START, PREFIX_CHARS } from '../trust/standing.ts'
import type { TrustBook } from '../trust/trust-book.ts'

export interface ResolveComponents {
  self: { peerId: PeerId; name: string }
  trust: TrustBook
  configured: readonly ConfiguredPeer[]
  /** Ids that are not known, but connected or knocking. */
  strangers(): Promise<PeerId[]>
  /** Waits for first contact with a configured peer whose id is not known yet. */
  meet(name: string): Promise<void>
}

/** See `Peers.resolve`. */
export async function resolvePeer(name: string, components: ResolveComponents): Promise<ResolvedPeer> {
  const { self, trust, configured, meet } = components
  const peer = configured.find((candidate) => candidate.name === name)
  if (peer && trust.pins.idOf(peer) === undefined) await meet(name)
  const found = await candidates(name, components)
  const [only] = found
  if (!only) throw notFound(name, components)
  if (found.length > 1) {
    throw new AppError('ambiguous', `${name} is ${found.map((peerId) => describe(peerId, components)).join(' and ')}`, {
      hint: 'use a whole peer id, or more of it',
    })
  }
  return { peerId: only, name: only === self.peerId ? self.name : trust.nameOf(only), self: only === self.peerId }
}

async function candidates(name: string, { self, trust, configured, strangers }: ResolveComponents): Promise<PeerId[]> {
  const ids = [...new Set([self.peerId, ...trust.known(), ...(await strangers())])]
  const [whole] = ids.filter((peerId) => peerId === name)
  if (whole) return [whole]
  const byName = ids.filter((peerId) => peerId === self.peerId && self.name === name)
  const ofConfigured = configured.filter((peer) => peer.name === name).flatMap((peer) => trust.pins.idOf(peer) ?? [])
  const given = ids.filter((peerId) => peerId !== self.peerId && trust.nameOf(peerId) === name)
  const advertised = trust.pins.idOfName(name)
  const byId = ids.filter((peerId) => isPrefix(name) && peerId.startsWith(name))
  return [...new Set([...byName, ...ofConfigured, ...given, ...(advertised ? [advertised] : []), ...byId])]
}

const isPrefix = (name: string): boolean => name.startsWith(COMMON_START) && name.length >= COMMON_START.length + PREFIX_CHARS

function notFound(name: string, { self, trust, configured }: ResolveComponents): AppError {
  const known = [...new Set([self.name, ...configured.map((peer) => peer.name), ...trust.known().map((peerId) => trust.nameOf(peerId))])]
  const short = name.startsWith(COMMON_START) && !isPrefix(name) ? `: a prefix needs ${PREFIX_CHARS} characters after ${COMMON_START}` : ''
  return new AppError('not_found', `no peer is called ${JSON.stringify(name)}${short}`, { hint: `known: ${known.slice(0, 20).join(', ')}` })
}

function describe(peerId: PeerId, { self, trust }: ResolveComponents): string {
  return peerId === self.peerId ? `${peerId} (this node)` : `${peerId} (${trust.nameOf(peerId)})`
}
