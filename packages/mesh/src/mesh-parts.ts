import type { Connection, Ed25519PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { AppError, modelsContract, roleIncludes } from '@qmtcode/protocol'
import type { Audit, Clock, ContractClient, Logger, PeerId } from '@qmtcode/protocol'
import { createAddressWatch } from './addresses/address-watch.ts'
import { localInterfaceAddresses } from './addresses/local-addresses.ts'
import { isQuic, relayOf, withoutPeerId } from './addresses/multiaddrs.ts'
import { dialableAddresses } from './addresses/reach.ts'
import { systemLookup } from './addresses/resolve-names.ts'
import { callEntry } from './audit/call-entry.ts'
import { directoryContract } from './directory/contract.ts'
import { createDirectory } from './directory/directory.ts'
import { createHeardRecords } from './directory/heard-records.ts'
import { createOwnRecord } from './directory/own-record.ts'
import { createProbeService, probeContract } from './diagnose/probe-service.ts'
import { createDiscovery } from './discovery/discovery.ts'
import { createKademlia } from './discovery/kademlia.ts'
import { createMdns } from './discovery/mdns.ts'
import type { DiscoveryWay, WayComponents } from './discovery/way.ts'
import type { NodeRecord } from './directory/record.ts'
import { gossipContract } from './gossip/contract.ts'
import { GOSSIP_TIMINGS, createGossip } from './gossip/gossip.ts'
import { createGreeter } from './handshake/greeter.ts'
import type { Hello } from './handshake/hello.ts'
import { createLibp2pHost } from './libp2p-host.ts'
import { createArrivals } from './links/arrivals.ts'
import { dialTarget } from './links/dialler.ts'
import { createKeeper } from './links/keeper.ts'
import { isConnected, newLink } from './links/link.ts'
import type { Link } from './links/link.ts'
import { createLinks } from './links/links.ts'
import { meteredStream } from './links/meter.ts'
import type { Meter } from './links/meter.ts'
import type { MeshNodeOptions, MeshTimings } from './node-types.ts'
import { createNat, RELAY_SERVICE } from './nat/nat.ts'
import { NO_NAT } from './nat/nat-options.ts'
import { createUpgrades } from './nat/upgrades.ts'
import { createMeshEvents } from './peers/mesh-events.ts'
import { createRpcClient } from './rpc/client.ts'
import { createRpcServer } from './rpc/server.ts'
import { libp2pStream } from './rpc/streams/libp2p.ts'
import type { EndedCall, RpcClient } from './rpc/types.ts'
import { createServices } from './services.ts'
import { bansContract, createBanNews } from './trust/ban-news.ts'
import { createGate } from './trust/gate.ts'
import type { Standing } from './trust/standing.ts'
import type { KnownPeersFile } from './trust/known-peers-file.ts'
import { createMembership } from './trust/membership.ts'
import { createTrustBook } from './trust/trust-book.ts'
import { createUpkeep } from './trust/upkeep.ts'

const MAX_OUTBOUND_STREAMS = 4_096
const WARM_STREAMS = 2

export interface MeshPartsComponents {
  clock: Clock
  log: Logger
  audit: Audit
  key: Ed25519PrivateKey
  self: PeerId
  file: KnownPeersFile
}
export type MeshParts = Awaited<ReturnType<typeof createMeshParts>>

/** Makes the parts of a node and ties them: connections → arrivals → handshake → links → directory; trust → everything. Nothing runs yet. */
export async function createMeshParts(components: MeshPartsComponents, options: MeshNodeOptions & { timings: MeshTimings }) {
  const { clock, log, audit, key, self, file } = components
  const { timings, name, version, peers: configured } = options
  const events = createMeshEvents({ audit })
  const trust = createTrustBook({ clock, file }, { self, name, configured, open: options.trust === 'open' })
  const membership = createMembership({ clock, log, audit, key, trust, content: file.content, addresses: ownAddresses }, { self })
  const server = createRpcServer({ clock, log: log.child('rpc'), onCall: ({ peerId }, call) => peerId && noteCall('in', peerId, call) })
  const services = createServices({
    log,
    audit,
    trust,
    server,
    meterOf: (peerId) => links.get(peerId)?.meter ?? newLink(peerId).meter,
    held: (peerId) => bans.held(peerId),
  })
  const arrivals = createArrivals({ trust, audit })
  const greeter = createGreeter(
    { clock, log, audit, trust, membership, servicesFor, onAdmitted: (peerId) => bans.expect(peerId), onHello },
    { name, version, timeoutMs: timings.handshake },
  )
  const links = createLinks(
    { clock, log, trust, emit: events.emit, rpcFor, onTurn: settle, answersOwed: server.answersOwed },
    { self, pingMs: timings.ping },
  )
  const upkeep = createUpkeep({ log, trust, membership, greeter, links }, { everyMs: timings.upkeep })
  const bans = createBanNews({ log, trust, membership, clientOf: (peerId) => links.get(peerId)?.lines[0]?.rpc.client(bansContract) })
  const probesOf = createProbeService({ clock })
  services.add(probeContract, { handlersFor: (peer) => probesOf(peer.peerId) })
  services.add(bansContract, { handlersFor: () => bans.handlers })
  const own = createOwnRecord(
    { log, key, addresses: ownAddresses },
    { peerId: self, name, software: version, starts: file.content.starts, loadMs: timings.load },
  )
  const directory = createDirectory({
    log,
    clientOf: directoryOf,
    claimName: async (peerId, claimed) => trust.standing(peerId).state !== 'admitted' || (await trust.pinName(peerId, claimed)),
    onChange: changed,
    heardOf: (peerId) => heard.recordOf(peerId),
  })
  const nat = createNat(
    {
      clock,
      log: log.child('nat'),
      isAdmitted: (peerId) => trust.standing(peerId).state === 'admitted',
      nameOf: trust.nameOf,
      links: links.all,
      addressesOf: (peerId) => [...(directory.recordOf(peerId)?.addresses ?? []), ...trust.addressesOf(peerId)],
      onChange: () => own.advertise(own.advert),
    },
    { ...(options.nat ?? NO_NAT), self },
  )
  const host = await createLibp2pHost(
    {
      clock,
      key,
      gater: createGate({ clock, trust, audit }),
      isTrusted,
      onOpen: (connection) => arrivals.opened(connection),
      onClose,
      nat,
    },
    { version, addressDialMs: timings.addressDial, quic: usesQuic(options) },
  )
  const keeper = createKeeper(
    {
      clock,
      log,
      trust,
      links,
      emit: events.emit,
      dial: (target, signal) => dialTarget(target, diallerComponents, { addressMs: timings.addressDial, signal }),
      learntAddresses,
    },
    { self, configured, timings },
  )
  const addressWatch = createAddressWatch({
    addresses: localInterfaceAddresses,
    onMove(move) {
      log.info('addresses of this machine changed', { ...move })
      links.moved(move.gone)
      keeper.hurry()
      discovery.moved()
      upgrades.hurry()
      nat.wake()
    },
  })
  const diallerComponents = {
    log,
    trust,
    greeter,
    dial: host.libp2p.dial.bind(host.libp2p),
    untilGone: addressWatch.untilGone,
    canDial: host.canDial,
    lookUpName: systemLookup,
    learntAddresses: (peerId: PeerId) => [...learntAddresses(peerId), ...nat.overRelays(peerId)],
    find: (peerId: PeerId, signal: AbortSignal) => discovery.find(peerId, signal),
    meetRelay,
  }
  const discovery = createDiscovery(
    {
      clock,
      log: log.child('discovery'),
      isKnown: (peerId) => trust.known().includes(peerId),
      isMissed,
      dial: dialFound,
      addresses: ownAddresses,
      onAddressChange: () => own.advertise(own.advert),
      makeWay,
    },
    { self, ways: options.discovery ?? [] },
  )
  const upgrades = createUpgrades(
    {
      clock,
      log: log.child('nat'),
      links: links.all,
      dialBetter: async (peerId, accepts, signal) => {
        const target = { name: trust.nameOf(peerId), configured: trust.pins.configuredAs(peerId), peerId, accepts }
        await dialTarget(target, diallerComponents, { addressMs: timings.addressDial, signal })
      },
    },
    { self },
  )
  const gossip = createGossip(
    {
      clock,
      log: log.child('gossip'),
      key,
      isBanned: (peerId) => trust.standing(peerId).state === 'banned',
      linked: () => links.all().flatMap((link) => (link.isUp ? [link.peerId] : [])),
      clientOf: (peerId) => links.get(peerId)?.lines[0]?.rpc.client(gossipContract),
    },
    { self, starts: file.content.starts, timings: options.gossip },
  )
  const heard = createHeardRecords(
    { log, gossip, own, isAdmitted: (peerId) => trust.standing(peerId).state === 'admitted', onHeard },
    { refreshMs: options.gossip?.refreshMs ?? GOSSIP_TIMINGS.refreshMs },
  )
  gossip.onSilent((peerId) => directory.forget(peerId))
  services.add(gossipContract, { handlersFor: (peer) => gossip.handlersFor(peer.peerId) })
  trust.onChange(createTrustWatch({ log, greeter, links, server, directory, gossip, keeper, own, closeAll }))
  services.add(directoryContract, {
    handlersFor: (peer) => ({
      follow: (_, context) => own.follow(() => roleIncludes(peer.role(), 'client') || trust.standing(peer.peerId).open, context.signal),
    }),
  })
  return {
    membership,
    upkeep,
    bans,
    events,
    trust,
    server,
    services,
    arrivals,
    greeter,
    links,
    own,
    directory,
    gossip,
    heard,
    host,
    keeper,
    discovery,
    nat,
    upgrades,
    addressWatch,
    listenAddresses,
  }

  function noteCall(direction: 'in' | 'out', peerId: PeerId, call: EndedCall): void {
    audit.note(callEntry(call, { direction, peerId, name: trust.nameOf(peerId) }))
  }
  function isTrusted(connection: Connection): boolean {
    const { state, open } = trust.standing(connection.remotePeer.toString() as PeerId)
    return state === 'admitted' || open
  }
  function listenAddresses(): string[] {
    return dialableAddresses(host.listening(), localInterfaceAddresses()).map(
      (address) => `${withoutPeerId(address).toString()}/p2p/${self}`,
    )
  }
  /** As peers are told: also where this node is reached from outside its network. */
  function ownAddresses(): string[] {
    return [...new Set([...listenAddresses(), ...nat.addresses()])]
  }
  function servicesFor(standing: Standing): string[] {
    const relays = nat.relayServer !== undefined && standing.state === 'admitted' ? [RELAY_SERVICE] : []
    return [...services.allowedTo(standing), ...relays]
  }
  /** Over a relay that nobody here decided on nothing is dialled: a record may name any. */
  async function meetRelay(address: Multiaddr, signal: AbortSignal): Promise<void> {
    const relay = relayOf(address)
    if (!relay || isConnected(links.get(relay.peerId))) return
    if (trust.standing(relay.peerId).state !== 'admitted')
      throw new AppError('peer_unreachable', `its relay ${relay.peerId} is not admitted here`, {
        hint: `qmtcode peers admit ${relay.peerId}`,
      })
    if (keeper.stateOf(relay.peerId).isWanted) return await keeper.reach(relay.peerId, signal)
    trust.seen(relay.peerId, [relay.address.toString()])
    await dialTarget({ name: trust.nameOf(relay.peerId), peerId: relay.peerId, directOnly: true }, diallerComponents, {
      addressMs: timings.addressDial,
      signal,
    })
  }
  function makeWay(way: string, given: WayComponents): DiscoveryWay {
    if (way === 'mdns') return createMdns({ ...given, logger: host.libp2p.logger })
    return createKademlia({
      ...given,
      libp2p: host.libp2p,
      key,
      isAdmitted: (peerId) => trust.standing(peerId).state === 'admitted',
      connectionOf: (peerId) => links.get(peerId)?.lines[0]?.connection,
      addressesOf: (peerId) => [...learntAddresses(peerId), ...trust.addressesOf(peerId)],
    })
  }
  function isMissed(peerId: PeerId): boolean {
    const { state, use } = trust.standing(peerId)
    return (state === 'admitted' || (use && state !== 'banned')) && !isConnected(links.get(peerId))
  }
  /** A peer that is kept is dialled by its keeper, any other admitted one here. */
  async function dialFound(peerId: PeerId, signal: AbortSignal): Promise<void> {
    if (keeper.stateOf(peerId).isWanted) return await keeper.reach(peerId, signal)
    await dialTarget({ name: trust.nameOf(peerId), peerId }, diallerComponents, { addressMs: timings.addressDial, signal })
  }
  function rpcFor(connection: Connection, meter: Meter): RpcClient {
    const peer = trust.pins.configuredAs(connection.remotePeer.toString() as PeerId)
    const requestTimeoutMs = peer?.requestTimeoutSecs === undefined ? options.requestTimeoutMs : peer.requestTimeoutSecs * 1_000
    const openStream = async (protocolId: string, { signal }: { signal: AbortSignal }) => {
      const stream = await connection.newStream(protocolId, {
        signal,
        maxOutboundStreams: MAX_OUTBOUND_STREAMS,
        runOnLimitedConnection: true,
      })
      return meteredStream(libp2pStream(stream, connection), meter)
    }
    const peerId = connection.remotePeer.toString() as PeerId
    const onCall = (call: EndedCall): void => noteCall('out', peerId, call)
    return createRpcClient({ open: openStream, clock, log: log.child('rpc'), onCall }, { requestTimeoutMs })
  }
  function onHello(connection: Connection, hello: Hello): void {
    const peerId = connection.remotePeer.toString() as PeerId
    const standing = trust.standing(peerId)
    arrivals.greeted(connection)
    if (hello.state === 'admitted') host.identifyAgain(connection)
    if (standing.state === 'unknown' && !standing.open && connection.direction === 'inbound') knock(connection, hello)
    if (standing.state === 'admitted') claimName(peerId, hello.name)
    links.greeted(connection, hello)
    const link = links.get(peerId)
    if (link) settle(link)
    keeper.wake()
    nat.wake()
    upgrades.wake()
  }
  function knock(connection: Connection, hello: Hello): void {
    const asked = {
      peerId: connection.remotePeer.toString() as PeerId,
      name: hello.name,
      address: withoutPeerId(connection.remoteAddr).toString(),
    }
    audit.note({ kind: 'request', direction: 'in', what: 'admission', ...asked, outcome: 'not_admitted' })
    if (trust.knock(asked)) events.emit({ type: 'peer.knocked', at: clock.now(), ...asked })
  }
  function claimName(peerId: PeerId, claimed: string): void {
    trust.pinName(peerId, claimed).then(
      (isIts) => isIts || log.warn('another node bears this name already', { peerId, name: claimed }),
      (error: unknown) => log.error('cannot keep a name', { peerId, error: String(error) }),
    )
  }
  /** Whoever is not admitted here is not dialled because another told of it. */
  function learntAddresses(peerId: PeerId): string[] {
    return trust.standing(peerId).state === 'admitted'
      ? [...discovery.addressesOf(peerId), ...(directory.recordOf(peerId)?.addresses ?? [])]
      : []
  }
  function changed(peerId: PeerId): void {
    events.emit({ type: 'peer.changed', at: clock.now(), peerId, name: trust.nameOf(peerId) })
  }
  /** A name that comes by gossip obeys the pins as any other, and only an admitted peer's is pinned. */
  function onHeard(peerId: PeerId, record: NodeRecord | undefined): void {
    if (record && trust.standing(peerId).state === 'admitted') claimName(peerId, record.name)
    changed(peerId)
    keeper.wake()
  }
  function onClose(connection: Connection): void {
    arrivals.closed(connection)
    links.closed(connection)
    keeper.wake()
    const peerId = connection.remotePeer.toString() as PeerId
    if (trust.known().includes(peerId)) return
    if (!links.get(peerId)) directory.forget(peerId)
    host.libp2p.peerStore.delete(connection.remotePeer).catch((error: unknown) => log.debug('peer store', { error: String(error) }))
  }
  /** Brings what runs over a link in line with whether it is up. */
  function settle(link: Link): void {
    const { peerId, there, lines } = link
    if (link.isUp && there?.services.includes(bansContract.service)) bans.join(peerId)
    else bans.leave(peerId)
    if (link.isUp && there?.services.includes(directoryContract.service)) directory.join(peerId)
    else directory.leave(peerId)
    const isMember = link.isUp && roleIncludes(trust.standing(peerId).role, 'member')
    if (isMember && there?.services.includes(gossipContract.service)) gossip.join(peerId)
    else gossip.leave(peerId)
    if (link.isUp) discovery.linked(peerId)
    const isUsed = link.isUp && trust.standing(peerId).use && there?.services.includes(modelsContract.service)
    if (isUsed)
      lines[0]?.rpc.warm(modelsContract, WARM_STREAMS).catch((error: unknown) => log.debug('not warmed', { peerId, error: String(error) }))
  }
  function directoryOf(peerId: PeerId): ContractClient<typeof directoryContract> | undefined {
    return links.get(peerId)?.lines[0]?.rpc.client(directoryContract)
  }
  function closeAll(peerId: PeerId, reason: Error): void {
    for (const connection of host.libp2p.getConnections()) if (connection.remotePeer.toString() === peerId) connection.abort(reason)
  }
}

/** QUIC is native code: only a node whose configuration names it loads it. */
const usesQuic = ({ listen, peers }: Pick<MeshNodeOptions, 'listen' | 'peers'>): boolean =>
  [...listen, ...peers.flatMap(({ addr }) => addr ?? [])].some(isQuic)

type Watched = Pick<MeshParts, 'greeter' | 'links' | 'server' | 'directory' | 'gossip' | 'keeper' | 'own'> & {
  log: Logger
  closeAll(peerId: PeerId, reason: Error): void
}

/** What follows from a decision: a ban or a forgotten peer loses its connections now; any other change is told to it. */
function createTrustWatch({
  log,
  greeter,
  links,
  server,
  directory,
  gossip,
  keeper,
  own,
  closeAll,
}: Watched): Parameters<MeshParts['trust']['onChange']>[0] {
  const cut = (peerId: PeerId, reason: AppError): void => {
    server.cut(reason, peerId)
    links.cut(peerId, reason)
    closeAll(peerId, reason)
    directory.forget(peerId)
    gossip.forget(peerId)
  }
  const tell = (peerId: PeerId): void => {
    for (const { connection } of links.get(peerId)?.lines ?? []) {
      greeter.greet(connection).catch((error: unknown) => log.debug('could not tell its standing', { peerId, error: String(error) }))
    }
  }
  return (peerId, { before, after, forgotten }) => {
    if (after.state === 'banned' || forgotten) {
      cut(peerId, new AppError('forbidden', after.state === 'banned' ? 'it was banned here' : 'it was forgotten here'))
    } else {
      if (before.role !== undefined && !roleIncludes(after.role, before.role))
        server.cut(new AppError('forbidden', 'your role here changed'), peerId)
      if (before.use && !after.use) links.cutCalls(peerId, new AppError('forbidden', 'nothing may be sent to it any more'))
      const isTold = before.state !== after.state || before.role !== after.role || before.open !== after.open
      if (isTold) tell(peerId)
      links.review(peerId)
    }
    own.wake()
    keeper.wake()
  }
}
