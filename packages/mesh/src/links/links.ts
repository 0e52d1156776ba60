import type { Connection } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock, Logger, MeshEvent, PeerId } from '@qmtcode/protocol'
import { withoutPeerId } from '../addresses/multiaddrs.ts'
import type { Hello } from '../handshake/hello.ts'
import type { RpcClient } from '../rpc/types.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import { createDrains } from './drains.ts'
import { byWorth, isConnected, newLink } from './link.ts'
import type { Line, Link } from './link.ts'
import { localHostOf } from './local-host.ts'
import { lineMeter, trafficOf } from './meter.ts'
import type { Meter } from './meter.ts'
import { createPinger } from './ping.ts'
import { prove } from './proof.ts'
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
  /** This machine has these addresses no more: lines bound to one are closed now, those bound to none are asked whether they still answer. The peers of closed ones. */
  moved(gone: readonly string[]): PeerId[]
  stop(): void
}

export interface LinksComponents {
  clock: Clock
  log: Logger
  trust: TrustBook
  emit(event: MeshEvent): void
  rpcFor(connection: Connection, meter: Meter): RpcClient
  /** Calls of the peer on this connection that wait for their one answer. */
  answersOwed(connection: Connection): number
  /** The link came up or went down. Called after its event. */
  onTurn(link: Link): void
}

// Intervals of silence. The last word comes within 10 s at the default interval of 2.5 s, on a busy machine too.
const SUSPECT_AFTER = 2.4
const LOST_AFTER = 3.2

const idle = { ask: (): void => undefined, stop: (): void => undefined }

export function createLinks(components: LinksComponents, options: { self: PeerId; pingMs: number }): Links {
  const { clock, log, trust, emit, rpcFor, onTurn } = components
  const links = new Map<PeerId, Link>()
  const reasons = new WeakMap<Connection, string>()
  const drains = createDrains({ answersOwed: components.answersOwed, close }, options)
  let isStopped = false

  const about = (link: Link): { at: number; peerId: PeerId; name: string } => ({
    at: clock.now(),
    peerId: link.peerId,
    name: trust.nameOf(link.peerId),
  })

  function addLine(link: Link, connection: Connection): void {
    const meter = lineMeter(link.meter)
    const localHost = localHostOf(connection)
    const line: Line = { connection, meter, rpc: rpcFor(connection, meter), pinger: idle, isSilent: false, answers: 0, localHost }
    line.pinger = watch(link, line)
    // The peer may have dialled because the others are dead, which this side has not noticed.
    for (const other of link.lines) doubt(link, other)
    link.lines.push(line)
    rank(link)
  }
  function doubt(link: Link, line: Line): void {
    prove(line, { onSilent: () => fellSilent(link, line), onDead: () => abort(line.connection, 'no answer after a move') }, options.pingMs)
  }
  function close(connection: Connection, reason: string): void {
    reasons.set(connection, reason)
    connection.close().catch((error: unknown) => connection.abort(error instanceof Error ? error : new Error(String(error))))
  }
  function abort(connection: Connection, reason: string): void {
    reasons.set(connection, reason)
    connection.abort(new Error(reason))
  }
  /** The best line takes new calls; others are given up once it answers. */
  function rank(link: Link): void {
    const [before] = link.lines
    link.lines = byWorth(link.lines)
    drains.look(link)
    if (link.lines.length > 0 && before !== link.lines[0]) emit({ type: 'peer.changed', ...about(link) })
  }
  function watch(link: Link, line: Line): Line['pinger'] {
    const { connection, meter } = line
    const hasMoreTraffic = trafficOf({ line: meter, whole: link.meter, isAlone: () => link.lines.length <= 1 })
    return createPinger(
      connection,
      {
        clock,
        listener: {
          hasTraffic() {
            const hasMore = hasMoreTraffic()
            if (hasMore) recovered(link, line)
            return hasMore
          },
          onAnswer(rttMs) {
            line.answers += 1
            if (line === link.lines[0]) link.rttMs = rttMs
            recovered(link, line)
          },
          onSilence: (intervals) => silent(link, line, intervals),
        },
      },
      options.pingMs,
    )
  }
  function recovered(link: Link, line: Line): void {
    if (line.isSilent) {
      line.isSilent = false
      rank(link)
    }
    if (!link.isSuspect || line !== link.lines[0]) return
    link.isSuspect = false
    emit({ type: 'peer.changed', ...about(link) })
  }
  function silent(link: Link, line: Line, intervals: number): void {
    if (intervals >= LOST_AFTER) {
      abort(line.connection, `no answer for ${((intervals * options.pingMs) / 1_000).toFixed(1)} s`)
    } else if (intervals >= SUSPECT_AFTER) fellSilent(link, line)
  }
  function fellSilent(link: Link, line: Line): void {
    if (!line.isSilent) {
      line.isSilent = true
      rank(link)
    }
    if (link.isSuspect || link.lines[0]?.isSilent !== true) return
    link.isSuspect = true
    emit({ type: 'peer.suspect', ...about(link) })
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
  function end(line: Line): void {
    line.pinger.stop()
    clearTimeout(line.proof)
    drains.leave(line)
  }
  function removeLine(link: Link, connection: Connection): void {
    const gone = link.lines.filter((line) => line.connection === connection)
    link.lines = link.lines.filter((line) => line.connection !== connection)
    const reason = reasons.get(connection) ?? 'the connection was closed'
    for (const line of gone) {
      end(line)
      line.rpc.stop(new AppError('link_lost', `lost ${trust.nameOf(link.peerId)}: ${reason}`))
    }
    if (gone.length === 0) return
    if (link.lines.length > 0) return rank(link)
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
        line.rpc = rpcFor(line.connection, line.meter)
      }
    },
    moved(gone) {
      const left = new Set<PeerId>()
      for (const link of links.values()) {
        for (const line of link.lines) {
          const { connection, localHost } = line
          if (localHost === undefined && gone.length > 0) doubt(link, line)
          if (localHost === undefined || !gone.includes(localHost)) continue
          abort(connection, `this machine is no longer at ${localHost}`)
          left.add(link.peerId)
        }
      }
      return [...left]
    },
    stop() {
      isStopped = true
      for (const link of links.values()) {
        for (const line of link.lines) {
          end(line)
          line.rpc.stop(new AppError('link_lost', 'this node stops'))
        }
        link.lines = []
      }
    },
  }
}
