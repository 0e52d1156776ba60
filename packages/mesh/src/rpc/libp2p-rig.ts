import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { thriftyMuxer } from '../links/window-updates.ts'

const PROTOCOL = '/qmt/rig/1'
const MIB = 1_048_576

type Encrypter = typeof tls | typeof noise

/** Two real nodes over TCP on loopback, one connection. */
export interface Libp2pPair extends AsyncDisposable {
  caller: Libp2p
  host: Libp2p
  connection: Connection
  hostConnection(): Connection | undefined
  open(): Promise<Stream>
}

export async function startPair(
  handler: (stream: Stream, connection: Connection) => void,
  encrypter: Encrypter = tls,
): Promise<Libp2pPair> {
  const [caller, host] = await Promise.all([startNode([], encrypter), startNode(['/ip4/127.0.0.1/tcp/0'], encrypter)])
  await host.handle(PROTOCOL, handler, { maxInboundStreams: 1_000 })
  const connection = await caller.dial(host.getMultiaddrs())
  return {
    caller,
    host,
    connection,
    hostConnection: () => host.getConnections()[0],
    open: async () => connection.newStream(PROTOCOL, { maxOutboundStreams: 1_000 }),
    async [Symbol.asyncDispose]() {
      await Promise.all([caller.stop(), host.stop()])
    },
  }
}

export { noise, tls }

async function startNode(listen: string[], encrypter: Encrypter): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [encrypter()],
    streamMuxers: [thriftyMuxer(yamux({ streamOptions: { maxStreamWindowSize: MIB, maxReadBufferLength: 8 * MIB } }))],
    connectionMonitor: { enabled: false },
  })
}
