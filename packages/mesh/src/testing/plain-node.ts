import { quic } from '@chainsafe/libp2p-quic'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { KAD_PROTOCOL } from '../discovery/kademlia.ts'

const TCP = '/ip4/127.0.0.1/tcp/0'
const QUIC = '/ip4/127.0.0.1/udp/0/quic-v1'
const ENCRYPTERS = { tls: [tls()], noise: [noise()], both: [noise(), tls()] }

/** How a node of js-libp2p is reached. */
export interface PlainLine {
  name: string
  listen: string
  encrypter: keyof typeof ENCRYPTERS
}
export const PLAIN_LINES: readonly PlainLine[] = [
  { name: 'TCP with noise', listen: TCP, encrypter: 'noise' },
  { name: 'TCP with tls', listen: TCP, encrypter: 'tls' },
  { name: 'TCP with both', listen: TCP, encrypter: 'both' },
  { name: 'QUIC', listen: QUIC, encrypter: 'both' },
]

/** One encryption a line. */
export const EACH_LINE = PLAIN_LINES.filter(({ encrypter, listen }) => encrypter !== 'both' || listen === QUIC)

/** js-libp2p as its own documentation starts it: nothing is tuned. It relays, as a client and as a server. */
export async function plainNode({ listen = TCP, encrypter = 'both' }: Partial<PlainLine> = {}) {
  const node = await createLibp2p({
    addresses: { listen: [listen] },
    transports: [tcp(), quic(), circuitRelayTransport()],
    connectionEncrypters: ENCRYPTERS[encrypter],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      kad: kadDHT({ protocol: KAD_PROTOCOL, clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true }),
      relay: circuitRelayServer(),
    },
  })
  return Object.assign(node, { [Symbol.asyncDispose]: async () => await node.stop() })
}
export type PlainNode = Awaited<ReturnType<typeof plainNode>>
