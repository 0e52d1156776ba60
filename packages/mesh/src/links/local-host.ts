import type { Socket } from 'node:net'
import type { Connection } from '@libp2p/interface'

/** The address of this machine that a TCP connection is bound to; undefined for what is bound to none, as QUIC and circuits. */
export function localHostOf(connection: Connection): string | undefined {
  // A private field. Without it such a line is asked whether it answers, which takes longer.
  const { maConn } = connection as unknown as { maConn?: { socket?: Socket } }
  return maConn?.socket?.localAddress?.replace(/^::ffff:(?=\d+\.)/, '')
}
