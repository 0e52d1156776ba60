import type { Connection } from '@libp2p/interface'
import { silentAudit } from '@qmtcode/protocol'
import type { Audit, PeerId } from '@qmtcode/protocol'
import type { TrustBook } from '../trust/trust-book.ts'

/** Connections that others opened: each must greet in time, and neither strangers nor one peer can fill the node. */
export interface Arrivals {
  opened(connection: Connection): void
  greeted(connection: Connection): void
  closed(connection: Connection): void
  stop(): void
}

const GREET_WITHIN_MS = 10_000
const MAX_UNKNOWN = 64
/** A peer needs one; two after a simultaneous dial; some that are dead and not yet noticed, while it redials. */
const MAX_PER_PEER = 8

export function createArrivals(components: { trust: TrustBook; audit?: Audit }): Arrivals {
  const { audit = silentAudit } = components
  const waiting = new Map<Connection, NodeJS.Timeout>()
  const strangers = new Set<Connection>()
  const byPeer = new Map<string, Set<Connection>>()
  const isUnknown = (connection: Connection): boolean =>
    components.trust.standing(connection.remotePeer.toString() as PeerId).state === 'unknown'

  function close(connection: Connection, outcome: 'timeout' | 'rate_limited', reason: string): void {
    const about = { peerId: connection.remotePeer.toString() as PeerId, address: connection.remoteAddr.toString() }
    audit.note({ kind: 'refused', direction: 'in', what: 'connection', ...about, outcome, reason })
    connection.abort(new Error(reason))
  }
  function settle(connection: Connection): void {
    clearTimeout(waiting.get(connection))
    waiting.delete(connection)
  }
  function boundPeer(connection: Connection): void {
    const peerId = connection.remotePeer.toString()
    const open = byPeer.get(peerId) ?? new Set()
    byPeer.set(peerId, open.add(connection))
    for (const oldest of open) {
      if (open.size <= MAX_PER_PEER) break
      open.delete(oldest)
      close(oldest, 'rate_limited', 'too many connections of this peer')
    }
  }
  function leavePeer(connection: Connection): void {
    const peerId = connection.remotePeer.toString()
    const open = byPeer.get(peerId)
    open?.delete(connection)
    if (open?.size === 0) byPeer.delete(peerId)
  }
  return {
    opened(connection) {
      if (connection.direction !== 'inbound') return
      boundPeer(connection)
      const onSilent = (): void => close(connection, 'timeout', 'no handshake')
      waiting.set(connection, setTimeout(onSilent, GREET_WITHIN_MS).unref())
      if (!isUnknown(connection)) return
      strangers.add(connection)
      for (const oldest of strangers) {
        if (strangers.size <= MAX_UNKNOWN) break
        strangers.delete(oldest)
        if (isUnknown(oldest)) close(oldest, 'rate_limited', 'too many unknown peers')
      }
    },
    greeted: settle,
    closed(connection) {
      settle(connection)
      strangers.delete(connection)
      leavePeer(connection)
    },
    stop() {
      for (const connection of waiting.keys()) settle(connection)
    },
  }
}
