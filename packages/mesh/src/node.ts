import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { Connection, Stream } from '@libp2p/interface'
import { AppError, LIMITS, nodeNameSchema, silentAudit } from '@qmtcode/protocol'
import type { Audit, Clock, Logger, PeerId } from '@qmtcode/protocol'
import { auditedTrust } from './audit/audited-trust.ts'
import { parseListenAddress } from './addresses/multiaddrs.ts'
import { systemLookup } from './addresses/resolve-names.ts'
import { createDiagnosis } from './diagnose/diagnosis.ts'
import { HANDSHAKE_PROTOCOL } from './handshake/hello.ts'
import { loadIdentity } from './identity/identity-file.ts'
import { PING_PROTOCOL, answerPings } from './links/ping.ts'
import { listenOn, listenOnDefault } from './listening.ts'
import { withRelays } from './nat/configured-relays.ts'
import { NO_NAT } from './nat/nat-options.ts'
import { createMeshParts } from './mesh-parts.ts'
import type { MeshParts } from './mesh-parts.ts'
import { DEFAULT_TIMINGS } from './node-types.ts'
import type { MeshNode, MeshNodeOptions, StartReport } from './node-types.ts'
import { createPeers } from './peers/peers.ts'
import { openKnownPeersFile } from './trust/known-peers-file.ts'
import { writtenId } from './trust/pins.ts'
import { trustPort } from './trust/trust-port.ts'

const STREAMS_A_PROTOCOL = 2 * LIMITS.peerStreams // a closing one counts until it is gone
const PING_STREAMS = 4

/**
 * Reads identity and known peers, and checks the options: throws bad_config or unsupported for what is wrong.
 * The node listens and dials from `start` until `stop`.
 */
export async function createMeshNode(components: { clock: Clock; log: Logger; audit?: Audit }, given: MeshNodeOptions): Promise<MeshNode> {
  const { audit = silentAudit } = components
  const options = { ...given, peers: withRelays(given.peers, given.nat ?? NO_NAT) }
  const listen = checkOptions(options)
  const key = await loadIdentity(options.identityFile)
  const file = await openKnownPeersFile(options.knownPeersFile)
  file.content.starts += 1
  const peerId = peerIdFromPrivateKey(key).toString() as PeerId
  const timings = { ...DEFAULT_TIMINGS, ...options.timings }
  const parts = await createMeshParts({ ...components, audit, key, self: peerId, file }, { ...options, timings })
  const { events, trust, services, links, own, directory, gossip, heard, keeper, discovery, listenAddresses } = parts
  const self = { peerId, name: options.name, version: options.version }
  const peers = createPeers(
    {
      trust,
      links,
      keeper,
      directory,
      own,
      heard,
      gossip,
      discovery,
      nat: parts.nat,
      punching: parts.punching,
      addresses: listenAddresses,
      follow: events.follow,
    },
    { self, configured: options.peers },
  )
  let report: StartReport | undefined
  const diagnosis = createDiagnosis(
    { clock: components.clock, ...parts, lookUpName: systemLookup, resolve: peers.resolve, started: () => report },
    { self, configured: options.peers, trust: options.trust, discovery: options.discovery ?? [] },
  )
  let state: 'new' | 'started' | 'stopped' = 'new'
  let stopping: Promise<void> | undefined

  async function start(): Promise<StartReport> {
    if (state !== 'new') throw new AppError('internal', `start() of a node that was ${state}`)
    state = 'started'
    try {
      await file.save()
      await register(parts)
      await parts.host.libp2p.start()
      await listenOn(parts.host, listen)
      const moved = options.defaultListen === true ? await listenOnDefault(parts.host) : undefined
      keeper.start()
      parts.addressWatch.start()
      await parts.discovery.start()
      parts.nat.start()
      parts.upgrades.start()
      parts.punching.start()
      parts.upkeep.start()
      heard.start()
      report = { listenAddresses: listenAddresses(), moved }
      return report
    } catch (error) {
      await stop()
      throw error
    }
  }
  function stop(): Promise<void> {
    state = 'stopped'
    stopping ??= stopParts(parts)
    return stopping
  }
  return {
    peerId,
    name: options.name,
    peers,
    trust: auditedTrust(trustPort({ ...parts, clock: components.clock }, { self: peerId, addressMs: timings.addressDial }), {
      audit,
      trust,
    }),
    gossip,
    diagnosis,
    about: (id) => (id === peerId ? { name: options.name, role: 'admin' } : { name: trust.nameOf(id), role: trust.standing(id).role }),
    onStanding: (listener) => trust.onChange((id, { after }) => listener(id, after.role)),
    serve(contract, service) {
      if (state !== 'new') throw new AppError('internal', `serve(${contract.service}) of a node that was ${state}`)
      services.add(contract, service)
    },
    advertise: (advert) => own.advertise(advert),
    setLoad: (load) => own.setLoad(load),
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function checkOptions(options: MeshNodeOptions): ReturnType<typeof parseListenAddress>[] {
  const name = nodeNameSchema.safeParse(options.name)
  if (!name.success) {
    throw new AppError('bad_config', `${JSON.stringify(options.name)} is no node name: ${name.error.issues[0]?.message ?? ''}`, {
      hint: 'set node_name in [mesh]',
    })
  }
  for (const peer of options.peers) writtenId(peer)
  return options.listen.map((text) => parseListenAddress(text))
}

/** A peer's stream is judged here, before any reader is attached to it. */
async function register({ host, services, greeter }: MeshParts): Promise<void> {
  const handle = async (protocolId: string, handler: (stream: Stream, connection: Connection) => void, streams: number): Promise<void> =>
    await host.libp2p.handle(protocolId, handler, { maxInboundStreams: streams, maxOutboundStreams: 4_096, runOnLimitedConnection: true })
  await handle(PING_PROTOCOL, (stream) => answerPings(stream), PING_STREAMS)
  // greeter.answer never throws; libp2p awaits what a handler returns before it hands on the stream.
  await handle(HANDSHAKE_PROTOCOL, (stream, connection) => greeter.answer(stream, connection) as unknown as undefined, PING_STREAMS)
  for (const protocolId of services.protocolIds()) {
    await handle(protocolId, (stream, connection) => services.accept(protocolId, stream, connection), STREAMS_A_PROTOCOL)
  }
}

async function stopParts({
  addressWatch,
  nat,
  upgrades,
  punching,
  upkeep,
  bans,
  keeper,
  discovery,
  directory,
  gossip,
  heard,
  own,
  server,
  links,
  host,
  arrivals,
  events,
  trust,
}: MeshParts): Promise<void> {
  addressWatch.stop()
  own.stop()
  await upgrades.stop()
  await punching.stop()
  await nat.stop()
  await upkeep.stop()
  await discovery.stop()
  await keeper.stop()
  server.stop()
  links.stop()
  await bans.stop()
  await directory.stop()
  await heard.stop()
  await gossip.stop()
  await host.stop()
  await punching.close()
  arrivals.stop()
  events.stop()
  await trust.flush()
}
