import type { Probes } from './probes.ts'
import { sameEndpoint } from './stun-message.ts'
import type { Endpoint } from './stun-message.ts'
import { openUdp } from './udp-socket.ts'
import type { UdpSocket } from './udp-socket.ts'

/** A way through two NATs: what QUIC sends to `port` of the loopback goes to `far`, and back. It carries datagrams and trusts nobody. */
export interface PunchedPath {
  readonly far: Endpoint
  /** On the loopback. */
  readonly port: number
  /** Twice is safe; closes the punched socket too. */
  close(): void
}

const LOOPBACK = '127.0.0.1'

/**
 * Takes the punched socket over. `quic`: the listener on the loopback that is called from outside; without one the first who sends to `port`
 * is the caller, and nobody else from then on.
 */
export async function createPunchedPath(
  components: { outer: UdpSocket; probes: Probes },
  { far, quic }: { far: Endpoint; quic?: Endpoint },
): Promise<PunchedPath> {
  const { outer, probes } = components
  const inner = await openUdp({ host: LOOPBACK, port: 0 })
  let caller = quic
  inner.onMessage((bytes, from) => {
    caller ??= from
    if (sameEndpoint(caller, from)) outer.send(bytes)
  })
  outer.onMessage((bytes, from) => {
    if (!sameEndpoint(from, far) || probes.answer(bytes, from)) return
    if (caller) inner.send(bytes, caller)
  })
  const close = (): void => {
    inner.close()
    outer.close()
  }
  try {
    await outer.connect(far)
    if (quic) await inner.connect(quic)
  } catch (error) {
    close()
    throw error
  }
  return { far, port: inner.local.port, close }
}
