import type { Connection, Stream } from '@libp2p/interface'
import { AppError, isAppError, silentAudit, toAppError } from '@qmtcode/protocol'
import type { Audit, Clock, Logger, PeerId } from '@qmtcode/protocol'
import { createRateWindow } from '../trust/rate-window.ts'
import type { Standing } from '../trust/standing.ts'
import type { Membership } from '../trust/membership.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import { answerHello, askHello } from './exchange.ts'
import { HANDSHAKE_PROTOCOL, withGrants } from './hello.ts'
import type { Hello } from './hello.ts'

/** Both ends of the handshake. What was learnt goes to `onHello`, before the stream ends. */
export interface Greeter {
  /** Tells the other side where it stands, and learns where we stand. Throws what `askHello` throws, said of this peer. */
  greet(connection: Connection, more?: Pick<Hello, 'join'>): Promise<Hello>
  /** Hears whether the peer, which is not who was expected, shows an earlier key that signed itself over to it. Tells it nothing; what it says of itself comes back. */
  askRotation(connection: Connection): Promise<Hello>
  /** Handler of the protocol. Never throws. */
  answer(stream: Stream, connection: Connection): Promise<void>
}

export interface GreeterComponents {
  clock: Clock
  log: Logger
  audit?: Audit
  trust: TrustBook
  membership: Membership
  /** Services that a peer of this standing may call. */
  servicesFor(standing: Standing): string[]
  /** An admitted peer is about to hear, or to say, that it is. */
  onAdmitted?(peerId: PeerId): void
  onHello(connection: Connection, hello: Hello): void
}

const UNKNOWN_PER_CONNECTION = 3
const KNOWN_PER_SECOND = 20

const NAMELESS: Hello = { v: 1, name: 'unknown', version: '0', state: 'unknown', services: [], asks: 'rotation' }

export function createGreeter(components: GreeterComponents, options: { name: string; version: string; timeoutMs: number }): Greeter {
  const { trust, membership, log, audit = silentAudit, onHello } = components
  const { name, version, timeoutMs } = options
  const answered = new WeakMap<Connection, number>()
  const known = createRateWindow(components, { limit: KNOWN_PER_SECOND, windowMs: 1_000 })

  const helloFor = (peerId: PeerId, more: Partial<Hello> = {}): Hello => {
    const standing = trust.standing(peerId)
    const admitted = standing.role !== undefined
    const { rotated, chains } = membership.shown()
    const hello: Hello = {
      v: 1,
      name,
      version,
      state: admitted ? 'admitted' : standing.state,
      role: standing.role,
      services: components.servicesFor(standing),
      command: standing.state === 'admitted' ? `qmtcode peers role ${peerId} client` : `qmtcode peers admit ${peerId}`,
      ...(admitted && { at: components.clock.now() }),
      ...(rotated.length > 0 && { rotated }),
      ...more,
    }
    return withGrants(hello, chains)
  }
  const isAllowed = (connection: Connection): boolean => {
    const peerId = connection.remotePeer.toString() as PeerId
    if (trust.standing(peerId).state === 'admitted') return known.take(peerId)
    const count = (answered.get(connection) ?? 0) + 1
    answered.set(connection, count)
    return count <= UNKNOWN_PER_CONNECTION
  }

  /** A decision may fall while a hello is under way: then what was said is not what holds. */
  const holds = (peerId: PeerId, said: Hello | undefined): boolean => {
    const { state, role } = helloFor(peerId)
    return said === undefined || (said.state === state && said.role === role)
  }

  const greeter: Greeter = {
    async greet(connection, more) {
      const peerId = connection.remotePeer.toString() as PeerId
      try {
        const signal = AbortSignal.timeout(timeoutMs)
        if (trust.standing(peerId).state === 'admitted') components.onAdmitted?.(peerId)
        const stream = await connection.newStream(HANDSHAKE_PROTOCOL, { signal, runOnLimitedConnection: true })
        const ours = helloFor(peerId, more)
        const hello = await askHello(stream, ours, timeoutMs)
        await membership.heard(peerId, hello)
        onHello(connection, hello)
        return holds(peerId, ours) ? hello : await greeter.greet(connection)
      } catch (cause) {
        throw failedGreeting(connection, cause)
      }
    },
    async askRotation(connection) {
      try {
        const stream = await connection.newStream(HANDSHAKE_PROTOCOL, { signal: AbortSignal.timeout(timeoutMs) })
        const hello = await askHello(stream, NAMELESS, timeoutMs)
        await membership.heard(connection.remotePeer.toString() as PeerId, hello)
        return hello
      } catch (cause) {
        throw failedGreeting(connection, cause)
      }
    },
    async answer(stream, connection) {
      const peerId = connection.remotePeer.toString() as PeerId
      const about = { peerId, address: connection.remoteAddr.toString() }
      const refuse = (error: AppError): void =>
        audit.note({ kind: 'refused', direction: 'in', what: 'handshake', ...about, outcome: error.code, reason: error.message })
      if (!isAllowed(connection)) {
        const error = new AppError('rate_limited', 'too many handshakes')
        refuse(error)
        return stream.abort(error)
      }
      let ours: Hello | undefined
      try {
        const reply = async (theirs: Hello): Promise<Hello> => {
          ours = helloFor(peerId, await membership.asked(peerId, theirs))
          if (ours.state === 'admitted' && theirs.state === 'admitted') components.onAdmitted?.(peerId)
          return ours
        }
        const theirs = await answerHello(stream, reply, timeoutMs)
        if (theirs.asks === undefined) onHello(connection, theirs)
      } catch (error) {
        log.debug('handshake failed', { peerId, error: String(error) })
        return refuse(toAppError(error))
      }
      if (holds(peerId, ours)) return
      greeter.greet(connection).catch((error: unknown) => log.debug('could not tell its standing', { peerId, error: String(error) }))
    },
  }
  return greeter
}

/** A refused dial resolves and is then closed without a word: that is said here. */
function failedGreeting(connection: Connection, cause: unknown): AppError {
  if (isAppError(cause) && cause.code !== 'link_lost') return cause
  const name = cause instanceof Error ? cause.name : ''
  if (name === 'UnsupportedProtocolError') return new AppError('unsupported', 'it is a libp2p node, but no qmtcode', { cause })
  if (connection.status === 'open' && (name === 'TimeoutError' || name === 'AbortError')) {
    return new AppError('timeout', 'it does not answer the handshake', { cause })
  }
  return new AppError('not_admitted', 'it closed the connection before the handshake: this node is banned there, or dials too often', {
    cause,
    hint: 'its person sees that with: qmtcode peers; this node is: qmtcode identity',
  })
}
