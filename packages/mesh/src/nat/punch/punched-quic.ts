import { setTimeout as delay } from 'node:timers/promises'
import type { Connection, Listener, MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { AppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { peerIdOf } from '../../addresses/multiaddrs.ts'
import type { PunchedPath } from './punched-path.ts'
import type { Endpoint } from './stun-message.ts'

/**
 * QUIC over punched paths: its connections are those of libp2p, authenticated as any, with the far address in place of the loopback's.
 * A path closes with its connection.
 */
export interface PunchedQuic {
  /** Where a path leads to when it is called. */
  endpoint(): Promise<Endpoint>
  /** Lets `peerId`, and nobody else, come in over a path, once. Resolves when it did; `signal` ends the wait and the path. */
  accept(path: PunchedPath, peerId: PeerId, signal: AbortSignal): Promise<void>
  /** Calls over a path. Rejects if another id than `peerId` answers. */
  dial(path: PunchedPath, peerId: PeerId, signal: AbortSignal): Promise<Connection>
  carries(connection: Connection): boolean
  stop(): Promise<void>
}

interface Expected {
  path: PunchedPath
  peerId: PeerId
  arrived(): void
}

/** The last datagram of a connection says that it is over. It leaves after the connection says so here. */
const LINGER_MS = 200

const LISTEN = '/ip4/127.0.0.1/udp/0/quic-v1'

/** `transport` is none of the node's own: what listens here is told to nobody, and takes only what came over a path. */
export function createPunchedQuic({ transport, upgrader }: { transport: Transport; upgrader: Upgrader }): PunchedQuic {
  const expected = new Map<number, Expected>()
  const addresses = new WeakSet<Multiaddr>()
  const open = new Map<PunchedPath, NodeJS.Timeout | undefined>()
  let listening: Promise<{ listener: Listener; endpoint: Endpoint }> | undefined

  const upgraderFor = (rename: (maConn: MultiaddrConnection) => void): Upgrader => ({
    createInboundAbortSignal: upgrader.createInboundAbortSignal.bind(upgrader),
    getConnectionEncrypters: upgrader.getConnectionEncrypters.bind(upgrader),
    getStreamMuxers: upgrader.getStreamMuxers.bind(upgrader),
    upgradeInbound: async (maConn, options) => {
      rename(maConn)
      await upgrader.upgradeInbound(maConn, options)
    },
    upgradeOutbound: async (maConn, options) => {
      rename(maConn)
      return await upgrader.upgradeOutbound(maConn, options)
    },
  })
  /** Everything above sees where the other side is, and never the loopback. */
  function bind(maConn: MultiaddrConnection, path: PunchedPath): void {
    const { host, port } = path.far
    const remoteAddr = multiaddr(`/ip4/${host}/udp/${port}/quic-v1/p2p/${peerIdOf(maConn.remoteAddr) ?? ''}`)
    Object.defineProperty(maConn, 'remoteAddr', { value: remoteAddr, enumerable: true })
    addresses.add(remoteAddr)
    open.set(path, undefined)
    maConn.addEventListener('close', () => linger(path), { once: true })
    if (maConn.status !== 'open') linger(path)
  }
  function close(path: PunchedPath): void {
    clearTimeout(open.get(path))
    open.delete(path)
    path.close()
  }
  function linger(path: PunchedPath): void {
    clearTimeout(open.get(path))
    open.set(path, setTimeout(close, LINGER_MS, path))
  }
  function arrive(maConn: MultiaddrConnection): void {
    const from = Number(maConn.remoteAddr.getComponents().find(({ name }) => name === 'udp')?.value)
    const guest = expected.get(from)
    if (!guest || guest.peerId !== peerIdOf(maConn.remoteAddr)) throw new AppError('forbidden', 'it came over no path of its own')
    expected.delete(from)
    bind(maConn, guest.path)
    guest.arrived()
  }
  async function listen(): Promise<{ listener: Listener; endpoint: Endpoint }> {
    const listener = transport.createListener({ upgrader: upgraderFor(arrive) })
    await listener.listen(multiaddr(LISTEN))
    const port = listener
      .getAddrs()[0]
      ?.getComponents()
      .find(({ name }) => name === 'udp')?.value
    return { listener, endpoint: { host: '127.0.0.1', port: Number(port) } }
  }
  return {
    async endpoint() {
      listening ??= listen()
      return (await listening).endpoint
    },
    async accept(path, peerId, signal) {
      const arrived = Promise.withResolvers<void>()
      expected.set(path.port, { path, peerId, arrived: arrived.resolve })
      try {
        await before(signal, arrived.promise)
      } catch (error) {
        linger(path)
        throw error
      } finally {
        expected.delete(path.port)
      }
    },
    async dial(path, peerId, signal) {
      const address = multiaddr(`/ip4/127.0.0.1/udp/${path.port}/quic-v1/p2p/${peerId}`)
      const dialled = transport.dial(address, { signal, upgrader: upgraderFor((maConn) => bind(maConn, path)) })
      try {
        return await before(signal, dialled)
      } catch (error) {
        dialled.then((late) => late.abort(new Error('too late'))).catch(() => undefined)
        linger(path)
        throw error
      }
    },
    carries: ({ remoteAddr }) => addresses.has(remoteAddr),
    async stop() {
      const { listener } = (await listening?.catch(() => undefined)) ?? {}
      await listener?.close()
      await (transport as { stop?(): Promise<void> }).stop?.()
      if (open.size > 0) await delay(LINGER_MS)
      for (const path of open.keys()) close(path)
    },
  }
}

/** Of a dial under way the native part hears no signal. */
async function before<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(new AppError('timeout', 'a way was open, and nothing came over it'))
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
