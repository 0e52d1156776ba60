import type { CreateListenerOptions, DialTransportOptions, Listener, Transport, Upgrader } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import { guardedStreams } from './stream-guard.ts'
import type { StreamGuardComponents, StreamGuardOptions } from './stream-guard.ts'

const PACKAGE = '@chainsafe/libp2p-quic'

/** A peer has 256 streams. The native part makes room for all of them as soon as a first packet comes: 0.1 kB each. */
const MAX_STREAMS = 512
/**
 * The native part takes one connection a call and waits there for the whole handshake: a first packet that nothing follows holds the call
 * for the idle timeout. So many calls at once leave room beside some 170 such packets a second. A call that waits takes 1 kB.
 */
const ACCEPTS = 1_024

export type QuicMaker = Awaited<ReturnType<typeof loadQuic>>

/**
 * The QUIC transport. Its native part is loaded here and nowhere else, for nodes whose configuration names a QUIC address or that open ways
 * through NATs. Throws bad_config where the platform has none.
 */
export async function loadQuic(load = async () => await import('@chainsafe/libp2p-quic')) {
  try {
    const { quic } = await load()
    return quic
  } catch (cause) {
    const where = `${process.platform}-${process.arch}`
    throw new AppError('bad_config', `QUIC does not work on this machine: ${PACKAGE} has no native part for ${where}`, {
      cause,
      hint: `TCP works: /tcp/PORT instead of /udp/PORT/quic-v1; or npm i ${PACKAGE}-${where}`,
    })
  }
}

/**
 * QUIC with its own limits, and with what strangers may cost bounded as on TCP: QUIC brings its own muxer, which `wire-guard.ts` never sees.
 * Windows stay below the 4 MiB at which a paused stream would be reset.
 */
export function guardedQuic(quic: QuicMaker, components: StreamGuardComponents, options: StreamGuardOptions) {
  const make = quic({
    maxIdleTimeout: 6_000,
    keepAliveInterval: 2_000,
    maxConcurrentStreamLimit: MAX_STREAMS,
    maxStreamData: 2_097_152,
    maxConnectionData: 33_554_432,
  })
  return (made: Parameters<typeof make>[0]): Transport => {
    const transport: Transport = make(made)
    const { createListener, dial } = transport
    transport.createListener = (given: CreateListenerOptions): Listener =>
      acceptingMany(createListener.call(transport, { ...given, upgrader: guarded(given.upgrader) }))
    transport.dial = async (address, given: DialTransportOptions) =>
      await dial.call(transport, address, { ...given, upgrader: guarded(given.upgrader) })
    return transport
  }

  function guarded(upgrader: Upgrader): Upgrader {
    return {
      ...upgrader,
      createInboundAbortSignal: upgrader.createInboundAbortSignal.bind(upgrader),
      getConnectionEncrypters: upgrader.getConnectionEncrypters.bind(upgrader),
      getStreamMuxers: upgrader.getStreamMuxers.bind(upgrader),
      upgradeInbound: async (maConn, given) => await upgrader.upgradeInbound(maConn, withGuard(given)),
      upgradeOutbound: async (maConn, given) => await upgrader.upgradeOutbound(maConn, withGuard(given)),
    }
  }
  function withGuard<Given extends { muxerFactory?: Parameters<typeof guardedStreams>[0] }>(given: Given): Given {
    const { muxerFactory } = given
    return muxerFactory ? { ...given, muxerFactory: guardedStreams(muxerFactory, components, options) } : given
  }
}

/** The library's loop over incoming connections: begun by `listen`, over when the listener closes. It never rejects. */
interface Accepting {
  awaitInboundConnections(): Promise<void>
}

function acceptingMany(listener: Listener): Listener {
  const accepting = listener as Listener & Accepting
  const { listen } = listener
  listener.listen = async (address) => {
    await listen.call(listener, address)
    const loops = Array.from({ length: ACCEPTS - 1 }, () => accepting.awaitInboundConnections())
    Promise.all(loops).catch(() => undefined)
  }
  return listener
}
