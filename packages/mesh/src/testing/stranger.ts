import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, MessageStream, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import type { TCPSocketOptions } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '@qmtcode/protocol'
import { createLibp2p } from 'libp2p'
import type { Libp2pOptions } from 'libp2p'
import type { Hello } from '../handshake/hello.ts'
import type { TestNode } from './mesh-kit.ts'

export const HELLO: Hello = { v: 1, name: 'stranger', version: '1', state: 'unknown', services: [] }

/** A libp2p node that is none of ours: it can say anything. `from`: the address of this machine that its connections come from. */
export async function stranger(
  encrypter: 'tls' | 'noise' = 'tls',
  others: NonNullable<Libp2pOptions['transports']> = [],
  options: { from?: string } = {},
): Promise<Libp2p & AsyncDisposable> {
  const dialOpts: TCPSocketOptions & { localAddress?: string } = { localAddress: options.from } // net.connect gets it
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp({ dialOpts }), ...others],
    connectionEncrypters: [encrypter === 'tls' ? tls() : noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  })
  return Object.assign(node, { [Symbol.asyncDispose]: async () => await node.stop() })
}

export const dial = (from: Libp2p, to: Pick<TestNode, 'address'>): Promise<Connection> => from.dial(multiaddr(to.address))
export const idOf = (node: Libp2p): PeerId => node.peerId.toString() as PeerId

/** How a stream that was opened ends: with what it answered, `reset`, or `silent` while it is open. */
export async function fate(connection: Connection, protocolId: string, send?: Uint8Array, waitMs = 5_000): Promise<string> {
  let stream: Stream
  try {
    stream = await connection.newStream(protocolId, { signal: AbortSignal.timeout(waitMs) })
  } catch {
    return 'reset'
  }
  return await new Promise((resolve) => {
    setTimeout(() => resolve('silent'), waitMs).unref()
    stream.addEventListener('message', ({ data }) => resolve(`answered ${data.byteLength}`))
    stream.addEventListener('close', () => resolve('reset'))
    stream.addEventListener('remoteCloseWrite', () => resolve('closed'))
    if (stream.status !== 'open') resolve('reset')
    if (send && stream.writeStatus === 'writable') stream.send(send)
  })
}

/** Below the muxer: whatever is sent here is taken for its frames. */
export const wireOf = (connection: Connection): MessageStream =>
  (connection as unknown as { muxer: { maConn: MessageStream } }).muxer.maConn

export interface MuxerFrame {
  /** 0 data, 1 window, 2 ping. */
  type: number
  /** 1 opens a stream, 8 resets it. */
  flags?: number
  id?: number
  length?: number
}

export function muxerFrame({ type, flags = 0, id = 0, length = 0 }: MuxerFrame): Uint8Array {
  const frame = new DataView(new ArrayBuffer(12))
  frame.setUint8(1, type)
  frame.setUint16(2, flags)
  frame.setUint32(4, id)
  frame.setUint32(8, length)
  return new Uint8Array(frame.buffer)
}
