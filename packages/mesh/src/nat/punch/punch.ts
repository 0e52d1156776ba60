import { randomBytes } from 'node:crypto'
import type { Connection } from '@libp2p/interface'
import { AppError, toAppError } from '@qmtcode/protocol'
import type { Clock, ContractClient, Logger, PeerId } from '@qmtcode/protocol'
import { isLoopbackHost } from '../../addresses/ip-ranges.ts'
import { isRelayedLink } from '../../links/link.ts'
import type { Link } from '../../links/link.ts'
import { createRateWindow } from '../../trust/rate-window.ts'
import { punchContract } from './contract.ts'
import type { MeetingSide } from './contract.ts'
import { whyFailed, whyNot } from './nat-kind.ts'
import type { Seen } from './nat-kind.ts'
import { createProbes } from './probes.ts'
import type { Side } from './probes.ts'
import { createPunchedPath } from './punched-path.ts'
import type { PunchedPath } from './punched-path.ts'
import type { PunchedQuic } from './punched-quic.ts'
import type { Endpoint } from './stun-message.ts'
import { openUdp } from './udp-socket.ts'
import type { UdpSocket } from './udp-socket.ts'

/** Opens ways between this node and relayed peers through the NATs of both. Of two peers the one with the lower id begins. */
export interface Punch {
  /** Resolves when a direct connection is greeted, or when it is the other side that begins. Rejects with the reason, and keeps it. */
  reach(peerId: PeerId, signal: AbortSignal): Promise<void>
  /** A peer begins. Resolves to what this side says of itself; what follows is awaited by nobody but `stop`. */
  meet(peerId: PeerId, offer: MeetingSide & { token: string }, signal: AbortSignal): Promise<MeetingSide>
  /** Why the last attempt with a peer failed. */
  problemOf(peerId: PeerId): string | undefined
  carries(connection: Connection): boolean
  /** Ends what is under way; connections stay. */
  stop(): Promise<void>
  /** After the connections. */
  close(): Promise<void>
}

export interface PunchComponents {
  clock: Clock
  log: Logger
  linkOf(peerId: PeerId): Link | undefined
  clientOf(peerId: PeerId): ContractClient<typeof punchContract> | undefined
  /** How `socket` is seen by a relay; the one between this node and `peerId` is asked first. */
  look(socket: UdpSocket, peerId: PeerId, signal: AbortSignal): Promise<Seen>
  /** Rejects where this machine has no QUIC. */
  quic(): Promise<PunchedQuic>
  greet(connection: Connection): Promise<unknown>
}

const ANY = { host: '0.0.0.0', port: 0 }
const PROBE_MS = 4_000
const ANSWER_MS = 8_000
/** From an open way to a connection over it. */
const CALL_MS = 8_000
const MEETINGS_A_MINUTE = 8
const MAX_MEETINGS = 32

export function createPunch(components: PunchComponents, { self, isOn }: { self: PeerId; isOn: boolean }): Punch {
  const { log, linkOf, clientOf, greet } = components
  const problems = new Map<PeerId, string>()
  const meetings = new Map<PeerId, Promise<void>>()
  const taken = createRateWindow(components, { limit: MEETINGS_A_MINUTE, windowMs: 60_000 })
  const stopped = new AbortController()
  let loading: Promise<PunchedQuic> | undefined
  let quic: PunchedQuic | undefined

  const isRelayed = (peerId: PeerId): boolean => {
    const link = linkOf(peerId)
    return link !== undefined && link.isUp && isRelayedLink(link)
  }
  /** What this side says of itself. */
  async function introduce(socket: UdpSocket, peerId: PeerId, signal: AbortSignal): Promise<MeetingSide> {
    try {
      loading ??= components.quic()
      quic = await loading
      return await components.look(socket, peerId, signal)
    } catch (error) {
      signal.throwIfAborted()
      return { nat: 'unknown', problem: toAppError(error).message.slice(0, 300) }
    }
  }
  async function open(
    socket: UdpSocket,
    meeting: { here: MeetingSide; there: MeetingSide; token: string; side: Side; signal: AbortSignal },
  ): Promise<PunchedPath> {
    const { here, there, signal } = meeting
    const probes = createProbes(socket, meeting)
    const far = await probes
      .open(fairTarget(here, there), AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]))
      .catch(() => Promise.reject(new AppError('peer_unreachable', whyFailed(here, there))))
    const quicAt = meeting.side === 'callee' ? await quic?.endpoint() : undefined
    return await createPunchedPath({ outer: socket, probes }, { far, quic: quicAt })
  }
  async function call(peerId: PeerId, socket: UdpSocket, signal: AbortSignal): Promise<void> {
    const client = clientOf(peerId)
    if (!client) throw new AppError('peer_unreachable', 'its link is gone')
    const token = randomBytes(18).toString('base64url')
    const here = await introduce(socket, peerId, signal)
    const there = await client.meet({ token, ...here }, { signal, timeoutMs: ANSWER_MS })
    const path = await open(socket, { here, there, token, side: 'caller', signal })
    const connection = await required(quic).dial(path, peerId, AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]))
    try {
      await greet(connection)
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }
  async function isCalled(
    peerId: PeerId,
    socket: UdpSocket,
    meeting: { here: MeetingSide; there: MeetingSide; token: string },
  ): Promise<void> {
    const { signal } = stopped
    const path = await open(socket, { ...meeting, side: 'callee', signal })
    await required(quic).accept(path, peerId, AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]))
  }
  /** Owns the socket and the outcome of an attempt; there is one for a peer at a time. */
  function attempt(peerId: PeerId, run: (socket: UdpSocket) => Promise<void>): Promise<void> {
    const opening = openUdp(ANY)
    const running = opening
      .then(run)
      .then(() => {
        problems.delete(peerId)
        log.info('a way through both NATs is open', { peerId })
      })
      .catch((error: unknown) => {
        opening.then(({ close }) => close()).catch(() => undefined)
        const { code, message } = toAppError(error)
        // That it is too early for another attempt says less than why the one before failed.
        if (!['busy', 'rate_limited'].includes(code) || !problems.has(peerId)) problems.set(peerId, message.slice(0, 300))
        throw error
      })
      .finally(() => meetings.delete(peerId))
    meetings.set(
      peerId,
      running.catch(() => undefined),
    )
    return running
  }
  async function meet(peerId: PeerId, { token, ...there }: MeetingSide & { token: string }, signal: AbortSignal): Promise<MeetingSide> {
    if (!isOn) throw new AppError('unsupported', 'it opens no NATs: punch = false in its [mesh.nat]')
    if (!isRelayed(peerId)) throw new AppError('conflict', 'the link is not relayed')
    if (meetings.has(peerId)) throw new AppError('busy', 'there is an attempt already')
    if (meetings.size >= MAX_MEETINGS || !taken.take(peerId)) throw new AppError('rate_limited', 'often enough; try again in a minute')
    const answered = Promise.withResolvers<MeetingSide>()
    attempt(peerId, async (socket) => {
      const here = await introduce(socket, peerId, AbortSignal.any([signal, stopped.signal]))
      answered.resolve(here)
      await isCalled(peerId, socket, { here, there, token })
    }).catch((error: unknown) => {
      answered.reject(error)
      log.debug('no way through', { peerId, error: toAppError(error).message })
    })
    return await answered.promise
  }
  return {
    async reach(peerId, signal) {
      if (meetings.has(peerId) || !isRelayed(peerId)) return
      const opens = linkOf(peerId)?.there?.services.includes(punchContract.service) === true
      if (!isOn) problems.set(peerId, 'this node opens no NATs: punch = false in its [mesh.nat]')
      else if (!opens) problems.set(peerId, 'it opens no NATs: its version is older, or punch = false in its [mesh.nat]')
      if (!isOn || !opens || self > peerId) return
      await attempt(peerId, (socket) => call(peerId, socket, AbortSignal.any([signal, stopped.signal])))
    },
    meet,
    problemOf: (peerId) => problems.get(peerId),
    carries: (connection) => quic?.carries(connection) ?? false,
    async stop() {
      stopped.abort()
      await Promise.all(meetings.values())
    },
    async close() {
      const made = await loading?.catch(() => undefined)
      await made?.stop()
    },
  }
}

const required = (quic: PunchedQuic | undefined): PunchedQuic => {
  if (quic) return quic
  throw new AppError('internal', 'a way without QUIC')
}

/** Where datagrams may go because a peer said so. Throws if there is no such place, or no sense in trying. */
function fairTarget(here: MeetingSide, there: MeetingSide): Endpoint {
  if (here.problem !== undefined) throw new AppError('unsupported', here.problem)
  if (there.problem !== undefined) throw new AppError('unsupported', `it says: ${there.problem}`)
  const reason = whyNot(here, there)
  const { mapped } = there
  if (reason !== undefined || !mapped) throw new AppError('peer_unreachable', reason ?? 'it names no address')
  const first = Number(mapped.host.split('.')[0])
  const isForeign = first === 0 || first >= 224 || (isLoopbackHost(mapped.host) && !isLoopbackHost(here.mapped?.host ?? ''))
  if (isForeign) throw new AppError('bad_request', `it says that it is seen as ${mapped.host}, which nobody is`)
  return mapped
}
