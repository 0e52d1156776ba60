import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@qmtcode/protocol'
import type { TrustBook } from '../trust/trust-book.ts'

/** Connections that others opened: each must greet in time, and strangers cannot fill the node. */
export interface Arrivals {
  opened(connection: Connection): void
  greeted(connection: Connection): void
  closed(connection: Connection): void
  stop(): void
}

const GREET_WITHIN_MS = 10_000
const MAX_UNKNOWN = 64

export function createArrivals(components: { trust: TrustBook }): Arrivals {
  const waiting = new Map<Connection, NodeJS.Timeout>()
  const strangers = new Set<Connection>()
  const isUnknown = (connection: Connection): boolean =>
    components.trust.standing(connection.remotePeer.toString() as PeerId).state === 'unknown'

  function settle(connection: Connection): void {
    clearTimeout(waiting.get(connection))
    waiting.delete(connection)
  }
  return {
    opened(connection) {
      if (connection.direction !== 'inbound') return
      const onSilent = (): void => connection.abort(new Error('no handshake'))
      waiting.set(connection, setTimeout(onSilent, GREET_WITHIN_MS).unref())
      if (!isUnknown(connection)) return
      strangers.add(connection)
      for (const oldest of strangers) {
        if (strangers.size <= MAX_UNKNOWN) break
        strangers.delete(oldest)
        if (isUnknown(oldest)) oldest.abort(new Error('too many unknown peers'))
      }
    },
    greeted: settle,
    closed(connection) {
      settle(connection)
      strangers.delete(connection)
    },
    stop() {
      for (const connection of waiting.keys()) settle(connection)
    },
  }
}
