import type { CircuitRelayServerComponents, CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2'
import type { Connection, ConnectionGater, Ed25519PrivateKey, Libp2p, StreamMuxer, Transport, Upgrader } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tls } from '@libp2p/tls'
import type { UPnPNATComponents } from '@libp2p/upnp-nat'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { AppError } from '@qmtcode/protocol'
import type { Clock } from '@qmtcode/protocol'
import { createLibp2p } from 'libp2p'
import { isQuic, isRelayed } from './addresses/multiaddrs.ts'
import { UPGRADE_MS } from './links/dial-deadline.ts'
import { discreetIdentify, isDiscreet } from './links/discreet-identify.ts'
import { thriftyMuxer } from './links/window-updates.ts'
import { MAX_WINDOW_BYTES, guardedMuxer } from './links/wire-guard.ts'
import type { Nat } from './nat/nat.ts'
import { freshTcp } from './transports/fresh-tcp.ts'
import { guardedQuic, loadQuic } from './transports/quic.ts'

const MIB = 1_048_576

/** The transports' side of a node: libp2p with the options that a mesh needs. Its own limits are lifted where ours are stricter and know who asks. */
export interface Libp2pHost {
  libp2p: Libp2p
  /** Listens on one address more. Throws libp2p's error, which holds the system's text. */
  listen(address: Multiaddr): Promise<void>
  /** Whether some transport here dials it. */
  canDial(address: Multiaddr): boolean
  /** As bound: wildcards are not expanded, port 0 is the real one. */
  listening(): Multiaddr[]
  /** A QUIC transport that neither listens nor dials by itself; loaded now. Throws bad_config where the platform has none. */
  spareQuic(): Promise<{ transport: Transport; upgrader: Upgrader }>
  /** Asks again what the other side speaks, where it told no more than strangers are told: it may admit this node by now. */
  identifyAgain(connection: Connection): void
  stop(): Promise<void>
}

type QuicComponents = Parameters<ReturnType<typeof guardedQuic>>[0]

interface Internals extends QuicComponents {
  upgrader: Upgrader
  transportManager: { listen(addresses: Multiaddr[]): Promise<void>; getAddrs(): Multiaddr[] }
  addressManager: object
}

export async function createLibp2pHost(
  components: {
    clock: Clock
    key: Ed25519PrivateKey
    gater: ConnectionGater
    /** Whether the peer of a connection may send more than a stranger needs. */
    isTrusted(connection: Connection): boolean
    onOpen(connection: Connection): void
    onClose(connection: Connection): void
    nat?: Pick<Nat, 'relayClient' | 'relayServer' | 'mappedPorts'>
  },
  options: { version: string; addressDialMs: number; quic: boolean },
): Promise<Libp2pHost> {
  const { relayClient, relayServer, mappedPorts } = components.nat ?? {}
  const quic = options.quic ? await loadQuic() : undefined
  await mappedPorts?.load()
  let internals: Internals | undefined
  const opened = new WeakMap<StreamMuxer, Connection>()
  const discreet = new WeakSet<Connection>()
  const isTrusted = (connection: Connection | undefined): boolean => connection !== undefined && components.isTrusted(connection)
  const guard = { isTrusted: (muxer: StreamMuxer): boolean => isTrusted(opened.get(muxer)) }
  const libp2p = await createLibp2p({
    start: false,
    privateKey: components.key,
    nodeInfo: { name: 'qmtcode', version: options.version, userAgent: `qmtcode/${options.version}` },
    addresses: { listen: [] },
    transports: [
      freshTcp(),
      ...(quic ? [guardedQuic(quic, components, guard)] : []),
      ...(relayClient ? [(made: CircuitRelayTransportComponents) => relayClient.make(made)] : []),
    ],
    connectionEncrypters: [tls(), noise()],
    streamMuxers: [
      guardedMuxer(
        thriftyMuxer(
          yamux({
            maxInboundStreams: 1_024,
            maxOutboundStreams: 1_024,
            // The window stays below the read buffer: a slow reader then slows the sender, and is not reset.
            streamOptions: { maxStreamWindowSize: MAX_WINDOW_BYTES, maxReadBufferLength: 8 * MIB },
          }),
        ),
        components,
        guard,
      ),
    ],
    connectionGater: components.gater,
    connectionManager: {
      inboundConnectionThreshold: 1_000,
      maxIncomingPendingConnections: 256,
      maxConnections: 2_000,
      addressDialTimeout: 2 * options.addressDialMs + UPGRADE_MS, // links/dialler.ts has the deadlines
      inboundUpgradeTimeout: 5_000,
      inboundStreamProtocolNegotiationTimeout: 5_000,
      outboundStreamProtocolNegotiationTimeout: 5_000,
    },
    connectionMonitor: { enabled: false }, // opens a stream a ping; links/ping.ts keeps one
    services: {
      identify: discreetIdentify(components),
      ...(relayServer && { relay: (made: CircuitRelayServerComponents) => relayServer.make(made) }),
      ...(mappedPorts && { ports: (made: UPnPNATComponents) => mappedPorts.make(made) }),
      internals: (components: Internals) => {
        internals = components
        return {}
      },
    },
  })
  libp2p.addEventListener('connection:open', ({ detail }) => {
    const muxer = muxerOf(detail)
    if (muxer) opened.set(muxer, detail)
    components.onOpen(detail)
  })
  libp2p.addEventListener('peer:identify', ({ detail }) => {
    if (isDiscreet(detail.protocols)) discreet.add(detail.connection)
    else discreet.delete(detail.connection)
  })
  libp2p.addEventListener('connection:close', ({ detail }) => components.onClose(detail))
  return {
    libp2p,
    listen: async (address) => await internals?.transportManager.listen([address]),
    canDial: (address) => (quic !== undefined || !isQuic(address.toString())) && (relayClient !== undefined || !isRelayed(address)),
    listening: () => internals?.transportManager.getAddrs() ?? [],
    async spareQuic() {
      const maker = guardedQuic(await loadQuic(), components, guard)
      if (!internals) throw new AppError('internal', 'libp2p is not made yet')
      return { transport: maker(internals), upgrader: internals.upgrader }
    },
    identifyAgain(connection) {
      if (!discreet.delete(connection)) return
      libp2p.services.identify.identify(connection).catch(() => discreet.add(connection))
    },
    stop: async () => {
      await libp2p.stop()
      // Each listener that closed has begun a second's wait anew, which outlives libp2p's stop and would keep the process.
      const waits: { _updatePeerStoreAddresses?: { stop?(): void } } | undefined = internals?.addressManager
      waits?._updatePeerStoreAddresses?.stop?.()
    },
  }
}

/** A private field. Without it everybody is held to what a stranger may. */
const muxerOf = (connection: Connection): StreamMuxer | undefined => (connection as unknown as { muxer?: StreamMuxer }).muxer
