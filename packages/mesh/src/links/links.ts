import type { Connection } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock, Logger, MeshEvent, PeerId } from '@qmtcode/protocol'
import { withoutPeerId } from '../addresses/multiaddrs.ts'
import type { Hello } from '../handshake/hello.ts'
import type { RpcClient } from '../rpc/types.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import { isConnected, newLink } from './link.ts'
import type { Line, Link } from './link.ts'
import type { Meter } from './meter.ts'
import { createPinger } from './ping.ts'
import { refusalOf } from './refusal.ts'

/** The live links of this node: connections that were greeted, by peer. */
export interface Links {
  get(peerId: PeerId): Link | undefined
  all(): Link[]
  /** A hello arrived on `connection`: its first makes it a line of the peer's link. */
  greeted(connection: Connection, hello: Hello): void
  closed(connection: Connection): void
  /** Looks again at where both sides stand: tells `peer.connected`, `peer.refused`, `peer.changed`. */
  review(peerId: PeerId): void
  /** Ends every connection of a peer now, with its calls. */
  cut(peerId: PeerId, reason: AppError): void
  /** Fails the calls that this node makes to a peer; the link stays. */
  cutCalls(peerId: PeerId, reason: AppError): void
  stop(): void
}

export interface LinksComponents {
  clock: Clock
  log: Logger
  trust: TrustBook
  emit(event: MeshEvent): void
  rpcFor(connection: Connection, meter: Meter): RpcClient
  /** The link came up or went down. Called after its event. */
  onTurn(link: Link): void
}

// Intervals of silence. The last word comes within 10 s at the default interval of 2.5 s, on a busy machine too.
const SUSPECT_AFTER = 2.4
const LOST_AFTER = 3.2

export function createLinks(components: LinksComponents, options: { self: PeerId; pingMs: number }): Links {
  const { clock, log, trust, emit, rpcFor, onTurn } = components
  const links = new Map<PeerId, Link>()
  const reasons = new WeakMap<Connection, string>()
  let isStopped = false

  const about = (link: Link): { at: number; peerId: PeerId; name: string } => ({
    at: clock.now(),
    peerId: link.peerId,
    name: trust.nameOf(link.peerId),
  })

  function addLine(link: Link, connection: Connection): void {
    const line: Line = { connection, rpc: rpcFor(connection, link.meter), pinger: watch(link, connection) }
    link.lines.push(line)
  }
  function watch(link: Link, connection: Connection): Line['pinger'] {
    let bytesIn = link.meter.bytesIn
    return createPinger(
      connection,
      {
        clock,
        listener: {
          hasTraffic() {
            const hasMore = link.meter.bytesIn !== bytesIn
            bytesIn = link.meter.bytesIn
            if (hasMore) recovered(link)
            return hasMore
          },
          onAnswer(rttMs) {
            link.rttMs = rttMs
            recovered(link)
          },
          onSilence: (intervals) => silent(link, connection, intervals),
        },
      },
      options.pingMs,
    )
  }
  function recovered(link: Link): void {
    if (!link.isSuspect) return
    link.isSuspect = false
    emit({ type: 'peer.changed', ...about(link) })
  }
  function silent(link: Link, connection: Connection, intervals: number): void {
    if (intervals >= LOST_AFTER) {
      const reason = `no answer for ${((intervals * options.pingMs) / 1_000).toFixed(1)} s`
      reasons.set(connection, reason)
      connection.abort(new Error(reason))
    } else if (intervals >= SUSPECT_AFTER && !link.isSuspect) {
      link.isSuspect = true
      emit({ type: 'peer.suspect', ...about(link) })
    }
  }
  function review(peerId: PeerId): void {
    const link = links.get(peerId)
    if (!link || isStopped) return
    const standing = trust.standing(peerId)
    const isUp = isConnected(link) && standing.role !== undefined && link.there?.state === 'admitted'
    const [line] = link.lines
    if (isUp && !link.isUp && line) {
      link.problem = link.refusal = undefined
      turn(link, true, { type: 'peer.connected', ...about(link), address: withoutPeerId(line.connection.remoteAddr).toString() })
    } else if (!isUp && link.isUp) {
      turn(link, false, { type: 'peer.disconnected', ...about(link), reason: link.problem ?? 'no longer admitted' })
    } else emit({ type: 'peer.changed', ...about(link) })
    refuse(link)
  }
  function turn(link: Link, isUp: boolean, event: MeshEvent): void {
    link.isUp = isUp
    emit(event)
    onTurn(link)
  }
  /** Says once what the other side's person has to do, if this side wants the link. */
  function refuse(link: Link): void {
    if (!isConnected(link)) return
    const refusal = refusalOf(trust.nameOf(link.peerId), options.self, link.there)
    link.problem = refusal && (refusal.hint === undefined ? refusal.message : `${refusal.message}; ${refusal.hint}`)
    if (!refusal || link.refusal === refusal.message || !trust.standing(link.peerId).use) return
    link.refusal = refusal.message
    emit({ type: 'peer.refused', ...about(link), reason: refusal.message, hint: refusal.hint })
  }
  function removeLine(link: Link, connection: Connection): void {
    const gone = link.lines.filter((line) => line.connection === connection)
    link.lines = link.lines.filter((line) => line.connection !== connection)
    const reason = reasons.get(connection) ?? 'the connection was closed'
    for (const line of gone) {
      line.pinger.stop()
      line.rpc.stop(new AppError('link_lost', `lost ${trust.nameOf(link.peerId)}: ${reason}`))
    }
    if (gone.length === 0 || link.lines.length > 0) return
    link.problem = reason
    link.isSuspect = false
    link.rttMs = undefined
    if (link.isUp) review(link.peerId)
    if (!trust.known().includes(link.peerId)) links.delete(link.peerId)
  }

  return {
    get: (peerId) => links.get(peerId),
    all: () => [...links.values()],
    review,
    greeted(connection, hello) {
      if (isStopped || connection.status !== 'open') return
      const peerId = connection.remotePeer.toString() as PeerId
      const link = links.get(peerId) ?? newLink(peerId)
      links.set(peerId, link)
      link.there = hello
      if (!link.lines.some((line) => line.connection === connection)) addLine(link, connection)
      review(peerId)
    },
    closed(connection) {
      const link = links.get(connection.remotePeer.toString() as PeerId)
      if (link) removeLine(link, connection)
    },
    cut(peerId, reason) {
      const link = links.get(peerId)
      if (!link) return
      for (const { connection, rpc } of link.lines) {
        reasons.set(connection, reason.message)
        rpc.stop(reason)
        connection.abort(reason)
      }
      log.info('cut', { peerId, reason: reason.message })
    },
    cutCalls(peerId, reason) {
      const link = links.get(peerId)
      for (const line of link?.lines ?? []) {
        line.rpc.stop(reason)
        if (link) line.rpc = rpcFor(line.connection, link.meter)
      }
    },
    stop() {
      isStopped = true
      for (const link of links.values()) {
        for (const line of link.lines) {
          line.pinger.stop()
          line.rpc.stop(new AppError('link_lost', 'this node stops'))
        }
        link.lines = []
      }
    },
  }
}
