import type { KadDHT, KadDHTComponents } from '@libp2p/kad-dht'
import type { Connection, Libp2p, PrivateKey, StreamHandler, StreamHandlerOptions, Topology } from '@libp2p/interface'
import { NotFoundError } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '@qmtcode/protocol'
import type { DiscoveryWay, WayComponents } from './way.ts'

export const KAD_PROTOCOL = '/qmt/kad/1.0.0'
const FIND_MS = 2_000
const INBOUND_STREAMS = 64

export interface KademliaComponents extends WayComponents {
  libp2p: Libp2p
  key: PrivateKey
  /** Only these are asked, answered, and told of. */
  isAdmitted(peerId: PeerId): boolean
  /** A link that is up; asking opens none. */
  connectionOf(peerId: PeerId): Connection | undefined
  /** What this node would dial: told to admitted peers that ask. */
  addressesOf(peerId: PeerId): string[]
}

type Dht = KadDHT & { start(): Promise<void>; stop(): Promise<void> }
type PeerKey = { toString(): string }

/**
 * Kademlia as the finder of addresses, and no more. The library's surroundings are ours: its peer store is what this node knows of admitted
 * peers, its streams go over links that are up, and its store of values and providers keeps nothing.
 */
export function createKademlia(components: KademliaComponents): DiscoveryWay {
  const { libp2p, isAdmitted, connectionOf } = components
  let topology: Topology | undefined
  let dht: Dht | undefined
  let isStopped = false
  const idOf = (peer: PeerKey): PeerId => peer.toString() as PeerId

  const openStream = async (peer: PeerKey, protocol: string, options: { signal?: AbortSignal }) => {
    const connection = isAdmitted(idOf(peer)) ? connectionOf(idOf(peer)) : undefined
    if (!connection) throw new NotFoundError('no link to it')
    return await connection.newStream(protocol, { signal: options.signal, runOnLimitedConnection: true })
  }
  const ping = async (peer: PeerKey): Promise<number> => {
    if (!isAdmitted(idOf(peer)) || !connectionOf(idOf(peer))) throw new NotFoundError('no link to it')
    return await Promise.resolve(0)
  }
  const handle = async (protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void> => {
    const gated: StreamHandler = (stream, connection) => {
      if (!isAdmitted(idOf(connection.remotePeer))) return stream.abort(new Error('not admitted'))
      // Awaited by nobody: libp2p hands on the stream only after the handler returned.
      Promise.resolve(handler(stream, connection)).catch((error: unknown) =>
        stream.abort(error instanceof Error ? error : new Error(String(error))),
      )
    }
    await libp2p.handle(protocol, gated, { ...options, maxInboundStreams: INBOUND_STREAMS, runOnLimitedConnection: true })
  }
  const register = (_: string, made: Topology): Promise<string> => {
    topology = made
    return Promise.resolve('links')
  }
  const onIdentify = ({ detail }: CustomEvent<{ peerId: PeerKey }>): void => join(idOf(detail.peerId))

  /** The library is read by nodes that use it. */
  async function makeDht(): Promise<Dht> {
    const { kadDHT } = await import('@libp2p/kad-dht')
    return kadDHT({ protocol: KAD_PROTOCOL, clientMode: false, peerInfoMapper: (peer) => peer, allowQueryWithZeroPeers: true })({
      peerId: libp2p.peerId,
      privateKey: components.key,
      logger: libp2p.logger,
      events: new EventTarget(),
      addressManager: { getAddresses: () => components.addresses().map((text) => multiaddr(text)) },
      datastore: NOTHING_KEPT,
      peerStore: peerStoreOf(components),
      ping: { ping },
      connectionManager: { openStream, isDialable: () => Promise.resolve(true) },
      registrar: {
        handle,
        unhandle: (protocol: string) => libp2p.unhandle(protocol),
        register,
        unregister: () => (topology = undefined),
      },
    } as unknown as KadDHTComponents) as Dht
  }
  /** A linked peer that speaks the protocol enters the routing table. */
  function join(peerId: PeerId): void {
    const connection = connectionOf(peerId)
    if (!connection || !isAdmitted(peerId)) return
    speaks(peerId).then(
      (isSpoken) => isSpoken && topology?.onConnect?.(connection.remotePeer, connection),
      (error: unknown) => components.log.debug('kademlia', { peerId, error: String(error) }),
    )
  }
  async function speaks(peerId: PeerId): Promise<boolean> {
    const { protocols } = await libp2p.peerStore.get(peerIdFromString(peerId))
    return protocols.includes(KAD_PROTOCOL)
  }
  return {
    name: 'kademlia',
    async start() {
      libp2p.addEventListener('peer:identify', onIdentify)
      const made = await makeDht()
      if (isStopped) return
      dht = made
      await dht.start()
      for (const peer of libp2p.getPeers()) join(idOf(peer)) // links that came up meanwhile
    },
    async find(peerId, signal) {
      if (!dht) return []
      const bound = AbortSignal.any([signal, AbortSignal.timeout(FIND_MS)])
      for await (const event of dht.findPeer(peerIdFromString(peerId), { useCache: false, signal: bound })) {
        if (event.name === 'FINAL_PEER' && event.peer.multiaddrs.length > 0) {
          const found = event.peer.multiaddrs.map(String)
          components.onFound(peerId, found)
          return found
        }
      }
      return []
    },
    linked: join,
    problem: () => undefined,
    async stop() {
      isStopped = true
      libp2p.removeEventListener('peer:identify', onIdentify)
      await dht?.stop()
    },
  }
}

/** Peers as the library sees them: admitted ones with an address. What it would note of them is not kept. */
function peerStoreOf({ isAdmitted, addressesOf }: KademliaComponents) {
  const addressed = (peer: PeerKey) => {
    const peerId = peer.toString() as PeerId
    const multiaddrs = isAdmitted(peerId) ? addressesOf(peerId).map((text) => multiaddr(text).decapsulateCode(421)) : []
    if (multiaddrs.length === 0) throw new NotFoundError('it is not admitted, or nothing is known of it')
    return { id: peerIdFromString(peerId), multiaddrs }
  }
  return {
    get: async (peer: PeerKey) => {
      const { id, multiaddrs } = await Promise.resolve(addressed(peer))
      const addresses = multiaddrs.map((address) => ({ multiaddr: address, isCertified: false }))
      return { id, addresses, protocols: [KAD_PROTOCOL], metadata: new Map(), tags: new Map() }
    },
    getInfo: async (peer: PeerKey) => await Promise.resolve(addressed(peer)),
    all: () => Promise.resolve([]),
    merge: () => Promise.resolve(undefined),
  }
}

const refuse = (): Promise<never> => Promise.reject(new Error('no values and no providers are kept here'))
const NOTHING_KEPT = {
  get: () => Promise.reject(new NotFoundError('nothing is kept here')),
  has: () => Promise.resolve(false),
  put: refuse,
  delete: () => Promise.resolve(),
  async *query(): AsyncGenerator<never> {},
  async *queryKeys(): AsyncGenerator<never> {},
}
