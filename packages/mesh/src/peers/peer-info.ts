import type { ModelOffer, PeerId, PeerInfo } from '@qmtcode/protocol'
import { withoutPeerId } from '../addresses/multiaddrs.ts'
import type { Directory } from '../directory/directory.ts'
import type { HeardRecords } from '../directory/heard-records.ts'
import type { OwnRecord } from '../directory/own-record.ts'
import type { Discovery } from '../discovery/discovery.ts'
import type { Gossip } from '../gossip/types.ts'
import type { Keeper } from '../links/keeper.ts'
import { isConnected, isRelayedLink } from '../links/link.ts'
import type { Link } from '../links/link.ts'
import type { Links } from '../links/links.ts'
import type { Punching } from '../nat/punch/punching.ts'
import type { TrustBook } from '../trust/trust-book.ts'

export interface PeerInfoComponents {
  trust: TrustBook
  links: Links
  keeper: Keeper
  directory: Directory
  own: OwnRecord
  heard: HeardRecords
  gossip: Gossip
  discovery: Discovery
  punching: Pick<Punching, 'problemOf' | 'carries'>
}

const NO_LOAD = { inFlight: 0, slots: 0, queued: 0 }

export function selfInfo(
  self: { peerId: PeerId; name: string; version: string; addresses: string[] },
  components: PeerInfoComponents,
): PeerInfo {
  const { advert, load } = components.own
  const links = components.links.all()
  return {
    name: self.name,
    peerId: self.peerId,
    self: true,
    state: 'connected',
    trust: 'admitted',
    role: 'admin',
    roleThere: 'admin',
    use: true,
    relayed: false,
    addresses: self.addresses,
    bytesIn: links.reduce((sum, link) => sum + link.meter.bytesIn, 0),
    bytesOut: links.reduce((sum, link) => sum + link.meter.bytesOut, 0),
    labels: advert.labels,
    ...modelsIn(advert.models),
    agents: advert.agents.map((agent) => agent.id),
    sessions: advert.sessions,
    load,
    version: self.version,
  }
}

export function peerInfo(peerId: PeerId, components: PeerInfoComponents): PeerInfo {
  const { trust, links, keeper, directory, discovery } = components
  const link = links.get(peerId)
  const { state: trustState, role, use } = trust.standing(peerId)
  const record = directory.recordOf(peerId)
  const configured = trust.pins.configuredAs(peerId)
  const { isWanted, problem } = keeper.stateOf(peerId)
  return {
    name: shownName(peerId, components),
    peerId,
    self: false,
    state: stateOf(link, isWanted && trustState !== 'banned'),
    trust: trustState,
    role,
    roleThere: link?.there?.state === 'admitted' ? link.there.role : undefined,
    use,
    ...wayOf(link, components.punching),
    address: lineAddress(link),
    addresses: [
      ...new Set([
        ...(configured?.addr ? [configured.addr] : []),
        ...(record?.addresses ?? []),
        ...trust.addressesOf(peerId),
        ...discovery.addressesOf(peerId),
      ]),
    ],
    rttMs: link?.rttMs,
    bytesIn: link?.meter.bytesIn ?? 0,
    bytesOut: link?.meter.bytesOut ?? 0,
    labels: [...new Set([...(configured?.labels ?? []), ...(trust.grants.grantOf(peerId)?.labels ?? [])])],
    ...modelsIn(record?.models ?? []),
    agents: record?.agents.map((agent) => agent.id) ?? [],
    sessions: record?.sessions ?? 0,
    load: directory.loadOf(peerId) ?? NO_LOAD,
    version: record?.software ?? link?.there?.version,
    hasRecord: record !== undefined,
    ...(!isConnected(link) && heardOf(peerId, components)),
    problem:
      (link && link.lines.length > 0 ? link.problem : (problem ?? link?.problem)) ??
      nameProblem(peerId, record?.name, trust) ??
      nearbyProblem(peerId, components),
  }
}

/** A node that nobody decided on here is shown by the name it gives itself, if that means nobody else; `resolve` does not take it. */
function shownName(peerId: PeerId, { trust, heard }: PeerInfoComponents): string {
  const claimed = heard.recordOf(peerId)?.name
  if (claimed === undefined || trust.known().includes(peerId) || trust.pins.isTaken(claimed, peerId)) return trust.nameOf(peerId)
  const first = heard.ids().find((other) => heard.recordOf(other)?.name === claimed)
  return first === peerId ? claimed : trust.nameOf(peerId)
}

/** Which way calls go. */
export function wayOf(
  link: Link | undefined,
  { problemOf, carries }: PeerInfoComponents['punching'],
): Pick<PeerInfo, 'relayed' | 'relayedBecause' | 'punched'> {
  const [line] = link?.lines ?? []
  if (!link || !line) return { relayed: false }
  return isRelayedLink(link)
    ? { relayed: true, relayedBecause: problemOf(link.peerId) }
    : { relayed: false, punched: carries(line.connection) }
}

/** Of the connection that calls go over. */
function lineAddress(link: Link | undefined): string | undefined {
  const line = link?.lines[0]
  return line && withoutPeerId(line.connection.remoteAddr).toString()
}

function heardOf(peerId: PeerId, { heard, gossip }: PeerInfoComponents): Pick<PeerInfo, 'heard'> {
  const contact = gossip.contactOf(peerId)
  return heard.recordOf(peerId) && contact ? { heard: contact } : {}
}

function stateOf(link: Link | undefined, isWanted: boolean): PeerInfo['state'] {
  if (isConnected(link)) return link.isSuspect ? 'suspect' : 'connected'
  return isWanted ? 'connecting' : 'offline'
}

/** Found on this network, and nothing more: what a person may do about it. */
function nearbyProblem(peerId: PeerId, { links, discovery }: PeerInfoComponents): string | undefined {
  if (links.get(peerId) || !discovery.nearby().includes(peerId)) return undefined
  return `found nearby, unknown here; to let it in: qmtcode peers admit ${peerId}`
}

/** A name that another id bore first is not its: prompts for the name still go to the first. */
function nameProblem(peerId: PeerId, claimed: string | undefined, trust: TrustBook): string | undefined {
  const owner = claimed === undefined ? undefined : trust.pins.idOfName(claimed)
  if (owner === undefined || owner === peerId) return undefined
  return `it calls itself ${claimed}, which is the name of ${owner}; if that one is gone: qmtcode peers forget ${owner}`
}

/** Those that can be called, and those whose server does not answer. */
function modelsIn(offers: readonly ModelOffer[]): Pick<PeerInfo, 'models' | 'modelsDown'> {
  const down = offers.filter(({ state }) => state === 'down').map(({ id }) => id)
  const models = offers.filter(({ state }) => state !== 'down').map(({ id }) => id)
  return down.length === 0 ? { models } : { models, modelsDown: down }
}
