import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isAppError, toAppError } from '@qmtcode/protocol'
import type { Clock, DialReport, Diagnosis, DiagnosisOptions, PeerDiagnosis, PeerId, ResolvedPeer, SelfDiagnosis } from '@qmtcode/protocol'
import { hostOf, parseDialAddress, peerIdOf, withoutPeerId } from '../addresses/multiaddrs.ts'
import { resolveName } from '../addresses/resolve-names.ts'
import type { LookUpName } from '../addresses/resolve-names.ts'
import type { Directory } from '../directory/directory.ts'
import type { NodeRecord } from '../directory/record.ts'
import type { Discovery } from '../discovery/discovery.ts'
import type { Greeter } from '../handshake/greeter.ts'
import type { Libp2pHost } from '../libp2p-host.ts'
import { isConnected } from '../links/link.ts'
import type { Links } from '../links/links.ts'
import type { ConfiguredPeer, StartReport } from '../node-types.ts'
import type { Punching } from '../nat/punch/punching.ts'
import { wayOf } from '../peers/peer-info.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import { dialAndReport } from './dial-report.ts'
import type { Dialled } from './dial-report.ts'
import { localNetworks } from './networks.ts'
import { measureBandwidth, probeContract } from './probe-service.ts'
import { measureRoundTrips } from './round-trips.ts'

export interface DiagnosisComponents {
  clock: Clock
  trust: TrustBook
  links: Links
  greeter: Greeter
  directory: Directory
  discovery: Discovery
  host: Libp2pHost
  punching: Punching
  lookUpName: LookUpName
  listenAddresses(): string[]
  /** See `Peers.resolve`. */
  resolve(name: string): Promise<ResolvedPeer>
  started(): StartReport | undefined
}

export interface MeshDiagnosisOptions {
  self: { peerId: PeerId; name: string; version: string }
  configured: readonly ConfiguredPeer[]
  trust: 'known' | 'open'
  discovery: readonly string[]
}

const MAX_ADDRESSES = 8
const NAME_MS = 3_000
const FIND_MS = 4_000
/** What a peer offers comes right after the link. */
const RECORD_MS = 1_500
const PINGS = { count: 10, withinMs: 5_000 }

/** What a target means, before anything is dialled. */
interface Meant {
  meaning: PeerDiagnosis['meaning']
  name: string
  /** Who must answer. */
  peerId?: PeerId
  addresses: { address: Multiaddr; source: DialReport['source'] }[]
}

export function createDiagnosis(components: DiagnosisComponents, options: MeshDiagnosisOptions): Diagnosis {
  const { trust, links, discovery } = components
  return {
    self: async (): Promise<SelfDiagnosis> => ({
      ...options.self,
      trust: options.trust,
      discovery: [...options.discovery],
      listenAddresses: components.listenAddresses(),
      moved: components.started()?.moved,
      configured: options.configured.map(({ name }) => name),
      connectedPeers: links.all().filter((link) => link.isUp).length,
      multicast: await discovery.multicast(),
      problems: discovery.problems(),
      nearby: discovery.nearby(),
      networks: localNetworks(),
    }),
    async peer(target, given = {}) {
      let meant: Meant
      try {
        meant = await meaningOf(target, components, options)
      } catch (error) {
        if (!isAppError(error, 'not_found', 'ambiguous')) throw error
        const { code, message, hint } = error
        return { ...nothing(target), unresolved: { code, message, hint } }
      }
      if (meant.peerId !== undefined && meant.addresses.length === 0) await lookFor(meant, meant.peerId, components)
      const known = meant.peerId === undefined ? undefined : trust.standing(meant.peerId)
      const { names, dialled } = await dialEach(meant, components, known?.state === 'banned')
      try {
        return { ...(await describe(meant, dialled, { ...components, ...given })), target, names }
      } finally {
        for (const { connection } of dialled)
          if (connection && !isNeeded(connection, meant, components)) connection.abort(new Error('looked at'))
      }
    },
  }
}

const nothing = (target: string): PeerDiagnosis => ({
  target,
  name: target,
  meaning: 'known',
  names: [],
  dials: [],
  link: { state: 'none', relayed: false },
  isFound: false,
})

async function meaningOf(target: string, components: DiagnosisComponents, { configured, self }: MeshDiagnosisOptions): Promise<Meant> {
  const { trust } = components
  if (target.startsWith('/')) {
    const address = parseDialAddress(target)
    const peerId = peerIdOf(address)
    const name = peerId === undefined ? target : trust.nameOf(peerId)
    const given = hostOf(address) === undefined ? [] : [{ address: withoutPeerId(address), source: 'given' as const }]
    return { meaning: 'address', name, peerId, addresses: given.length > 0 ? given : addressesOf(peerId, undefined, components) }
  }
  const peer = configured.find(({ name }) => name === target)
  const peerId = peer ? trust.pins.idOf(peer) : (await components.resolve(target)).peerId
  const known = peer ?? (peerId === undefined ? undefined : trust.pins.configuredAs(peerId))
  const name = peerId === self.peerId ? self.name : (known?.name ?? (peerId === undefined ? target : trust.nameOf(peerId)))
  return { meaning: known ? 'configured' : 'known', name, peerId, addresses: addressesOf(peerId, known, components) }
}

/** Nobody told an address of it yet: discovery is asked. */
async function lookFor(meant: Meant, peerId: PeerId, components: DiagnosisComponents): Promise<void> {
  await components.discovery.find(peerId, AbortSignal.timeout(FIND_MS))
  meant.addresses = addressesOf(peerId, undefined, components)
}

/** Each once, under the best of its sources. */
function addressesOf(peerId: PeerId | undefined, peer: ConfiguredPeer | undefined, components: DiagnosisComponents): Meant['addresses'] {
  const { trust, discovery, directory } = components
  const told: [DialReport['source'], readonly string[]][] = [
    ['configured', peer?.addr === undefined ? [] : [peer.addr]],
    ['discovery', peerId === undefined ? [] : discovery.addressesOf(peerId)],
    ['record', peerId === undefined ? [] : (directory.recordOf(peerId)?.addresses ?? [])],
    ['earlier', peerId === undefined ? [] : trust.addressesOf(peerId)],
  ]
  const found = new Map<string, Meant['addresses'][number]>()
  for (const [source, texts] of told) {
    for (const text of texts) {
      const address = dialable(text)
      if (address && !found.has(address.toString())) found.set(address.toString(), { address, source })
    }
  }
  return [...found.values()].slice(0, MAX_ADDRESSES)
}

/** What a peer tells may be anything. */
function dialable(text: string): Multiaddr | undefined {
  try {
    const address = parseDialAddress(text)
    return hostOf(address) === undefined ? undefined : withoutPeerId(address)
  } catch {
    return undefined
  }
}

async function dialEach(
  { addresses, peerId }: Meant,
  components: DiagnosisComponents,
  isBanned: boolean,
): Promise<{ names: PeerDiagnosis['names']; dialled: Dialled[] }> {
  const { host, lookUpName, clock } = components
  const names: PeerDiagnosis['names'] = []
  const dials = { clock, dial: host.libp2p.dial.bind(host.libp2p), canDial: host.canDial, networks: localNetworks() }
  const dialOne = async ({ address, source }: Meant['addresses'][number]): Promise<Dialled[]> => {
    const ips = await lookUp(address)
    return await Promise.all(ips.map((ip) => dialAndReport(ip, dials, { expected: peerId, source, isBanned })))
  }
  async function lookUp(address: Multiaddr): Promise<Multiaddr[]> {
    const name = hostOf(address) ?? ''
    if (!address.getComponents()[0]?.name.startsWith('dns')) return [address]
    try {
      const found = await resolveName(address, lookUpName, AbortSignal.timeout(NAME_MS))
      names.push({ name, addresses: found.map((ip) => hostOf(ip) ?? '') })
      return found
    } catch (error) {
      names.push({ name, addresses: [], problem: toAppError(error).message })
      return []
    }
  }
  return { dialled: (await Promise.all(addresses.map(dialOne))).flat(), names }
}

/** Greets and measures over the peer's link, else over the connection that the dials opened. */
async function describe(
  meant: Meant,
  dialled: readonly Dialled[],
  components: DiagnosisComponents & DiagnosisOptions,
): Promise<Omit<PeerDiagnosis, 'target' | 'names'>> {
  const { trust, links, discovery, punching, clock, brief } = components
  const answered = dialled.find(({ report }) => report.outcome === 'answered')
  const peerId = meant.peerId ?? answered?.report.peerId
  const linked = peerId === undefined ? undefined : links.get(peerId)?.lines[0]?.connection
  const connection = linked ?? answered?.connection
  const [greeted] = await Promise.all([
    connection && greet(connection, components),
    ...dialled.map((other) => nameOther(other, components)),
  ])
  const pings = connection && !brief && connection.status === 'open' ? await measureRoundTrips(connection, { clock }, PINGS) : undefined
  const link = peerId === undefined ? undefined : links.get(peerId)
  const client = link?.isUp && link.there?.services.includes(probeContract.service) ? link.lines[0]?.rpc.client(probeContract) : undefined
  const bandwidth = client && !brief ? await measureBandwidth(client, { clock }) : undefined
  const record = peerId !== undefined && link?.isUp ? await recordOf(peerId, components) : undefined
  const line = link?.lines[0]?.connection
  return {
    name: meant.meaning === 'address' && peerId !== undefined ? trust.nameOf(peerId) : meant.name,
    peerId,
    meaning: meant.meaning,
    here: peerId === undefined ? undefined : standingOf(peerId, trust),
    dials: dialled.map(({ report }) => report),
    link: {
      state: !isConnected(link) ? 'none' : link.isSuspect ? 'suspect' : link.isUp ? 'up' : 'greeted',
      ...wayOf(link, punching),
      address: line && withoutPeerId(line.remoteAddr).toString(),
    },
    ...greeted,
    pings,
    bandwidth,
    record: record && {
      models: record.models.map(({ id }) => id),
      agents: record.agents.map(({ id }) => id),
      sessions: record.sessions,
      version: record.software,
    },
    isFound: peerId !== undefined && discovery.addressesOf(peerId).length > 0,
  }
}

async function recordOf(peerId: PeerId, { directory, clock }: DiagnosisComponents): Promise<NodeRecord | undefined> {
  const end = clock.monotonic() + RECORD_MS
  while (directory.recordOf(peerId) === undefined && clock.monotonic() < end) await delay(RECORD_MS / 30)
  return directory.recordOf(peerId)
}

function standingOf(peerId: PeerId, trust: TrustBook): PeerDiagnosis['here'] {
  const { state, role, use } = trust.standing(peerId)
  return { trust: state, role, use }
}

async function greet(
  connection: Connection,
  { greeter, clock }: Pick<DiagnosisComponents, 'greeter' | 'clock'>,
): Promise<Pick<PeerDiagnosis, 'hello' | 'greeting'>> {
  const begun = clock.now()
  try {
    const { name, version, state, role, services, at } = await greeter.greet(connection)
    const clockAheadMs = at === undefined ? undefined : Math.round(at - (begun + clock.now()) / 2)
    return { hello: { name, version, state, role, services, clockAheadMs } }
  } catch (error) {
    const { code, message, hint } = toAppError(error)
    return { greeting: { code, message, hint } }
  }
}

/** Whoever answers in another's place says what it is, and is told nothing. */
async function nameOther({ report, connection }: Dialled, { greeter }: DiagnosisComponents): Promise<void> {
  if (report.outcome !== 'other_peer' || !connection) return
  try {
    const { name, version } = await greeter.askRotation(connection)
    report.answeredAs = `a qmtcode ${version} called ${name}`
  } catch (error) {
    if (isAppError(error, 'unsupported')) report.answeredAs = 'a libp2p node, no qmtcode'
  }
}

/** The link of a peer that is wanted goes on over it; a connection that others opened is theirs. */
function isNeeded(connection: Connection, { meaning }: Meant, { trust, links }: DiagnosisComponents): boolean {
  if (connection.direction === 'inbound') return true
  const answered = connection.remotePeer.toString() as PeerId
  if (links.get(answered)?.lines[0]?.connection !== connection) return false
  return meaning === 'configured' || trust.standing(answered).state === 'admitted'
}
