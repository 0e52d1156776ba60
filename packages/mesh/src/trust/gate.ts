import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface'
import { silentAudit } from '@qmtcode/protocol'
import type { Audit, Clock, PeerId, TrustState } from '@qmtcode/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { hostKey } from '../addresses/multiaddrs.ts'
import { createRateWindow } from './rate-window.ts'
import type { TrustBook } from './trust-book.ts'

const UNKNOWN_PER_ADDRESS = 5 // a second
const UNKNOWN_IN_ALL = 20

/** An encrypted handshake costs about 13 ms before it says who is there. A second of them, from addresses of no admitted peer. */
const ATTEMPTS_PER_ADDRESS = 20
const ATTEMPTS_IN_ALL = 60
/** Of those, what addresses get that had one within the last minute: whoever comes for the first time does not wait behind a flood. */
const ATTEMPTS_AGAIN = 40
const AGAIN_WITHIN_MS = 60_000
/** Connections that have not said who they are: libp2p takes 256 of them, and a half of these stays for admitted peers' addresses. */
const PENDING_PER_ADDRESS = 16
const PENDING_IN_ALL = 128
const PENDING_PER_FRIEND = 64

/**
 * Who gets a connection: no banned peer either way, and unknown ones at a bounded rate, decided on authenticated ids.
 * Before an id is known only the address counts: those of admitted peers are exempt from all but a bound of their own.
 */
export function createGate(components: { clock: Clock; trust: TrustBook; audit?: Audit }): ConnectionGater {
  const { trust, audit = silentAudit } = components
  const perAddress = createRateWindow(components, { limit: UNKNOWN_PER_ADDRESS, windowMs: 1_000 })
  const inAll = createRateWindow(components, { limit: UNKNOWN_IN_ALL, windowMs: 1_000 })
  const attempts = createRateWindow(components, { limit: ATTEMPTS_PER_ADDRESS, windowMs: 1_000 })
  const allAttempts = createRateWindow(components, { limit: ATTEMPTS_IN_ALL, windowMs: 1_000 })
  const againAttempts = createRateWindow(components, { limit: ATTEMPTS_AGAIN, windowMs: 1_000 })
  const recent = createRecent(components.clock)
  const friends = createFriends(trust)
  const pending = createPending()

  const isCrowded = (host: string): boolean => {
    if (friends.has(host)) return pending.of(host) >= PENDING_PER_FRIEND
    if (pending.of(host) >= PENDING_PER_ADDRESS || !attempts.take(host)) return true
    if ((recent.has(host) && !againAttempts.take('')) || !allAttempts.take('')) return true
    recent.add(host)
    // The oldest has had a second or more, which an honest one does not need.
    if (pending.inAll((other) => !friends.has(other)) >= PENDING_IN_ALL) pending.dropOldest((other) => !friends.has(other))
    return false
  }
  /** Notes what is denied. `address`: the host alone before anybody said who is there, since ports are many. */
  const deny = (outcome: string, about: { address: string; peerId?: PeerId; direction?: 'in' | 'out' }, reason: string): true => {
    audit.note({ kind: 'refused', direction: 'in', what: 'connection', ...about, outcome, reason })
    return true
  }
  const stateOf = (peerId: { toString(): string }): TrustState => trust.standing(peerId.toString() as PeerId).state
  return {
    denyInboundConnection(maConn) {
      const host = hostKey(maConn.remoteAddr)
      if (isCrowded(host)) return deny('rate_limited', { address: host }, 'too many connections')
      pending.add(host, maConn)
      return false
    },
    denyInboundEncryptedConnection(peerId, maConn) {
      const host = hostKey(maConn.remoteAddr)
      pending.remove(host, maConn)
      const about = { address: host, peerId: peerId.toString() as PeerId }
      const { state } = trust.standing(about.peerId)
      if (state === 'banned') return deny('forbidden', about, 'banned')
      if (state === 'admitted') friends.add(host, about.peerId)
      else if (!perAddress.take(host) || !inAll.take('')) return deny('rate_limited', about, 'too many unknown peers')
      return false
    },
    // Who is behind a relay is judged by the id that he shows, as everybody; a relay that is not admitted brings nobody.
    denyInboundRelayedConnection: (relay, peerId) => stateOf(relay) !== 'admitted' || stateOf(peerId) === 'banned',
    denyInboundRelayReservation: (peerId) => stateOf(peerId) !== 'admitted',
    denyOutboundRelayedConnection: (source, destination) => stateOf(source) !== 'admitted' || stateOf(destination) !== 'admitted',
    denyOutboundEncryptedConnection: (peerId) => stateOf(peerId) === 'banned',
  }
}

const MAX_RECENT = 10_000

/** Addresses whose last attempt that was let in is not a minute ago. */
function createRecent(clock: Clock) {
  const lastAt = new Map<string, number>()
  return {
    has: (host: string): boolean => clock.monotonic() - (lastAt.get(host) ?? -Infinity) < AGAIN_WITHIN_MS,
    add(host: string): void {
      lastAt.delete(host)
      lastAt.set(host, clock.monotonic())
      for (const oldest of lastAt.keys()) if (lastAt.size > MAX_RECENT) lastAt.delete(oldest)
    },
  }
}

const MAX_FRIENDS = 10_000

/** Addresses that admitted peers were dialled at, now or in earlier runs, or came from. */
function createFriends(trust: TrustBook) {
  const seen = new Map<string, PeerId>()
  const add = (host: string, peerId: PeerId): void => {
    seen.delete(host)
    seen.set(host, peerId)
    for (const oldest of seen.keys()) if (seen.size > MAX_FRIENDS) seen.delete(oldest)
  }
  for (const peerId of trust.known()) for (const address of trust.addressesOf(peerId)) add(hostKey(multiaddr(address)), peerId)
  return {
    add,
    has(host: string): boolean {
      const peerId = seen.get(host)
      return peerId !== undefined && trust.standing(peerId).state === 'admitted'
    },
  }
}

/** Connections that have not said who they are, by address. */
function createPending() {
  const byHost = new Map<string, Set<MultiaddrConnection>>()
  const inOrder = new Map<MultiaddrConnection, string>()
  const remove = (host: string, maConn: MultiaddrConnection): void => {
    inOrder.delete(maConn)
    const there = byHost.get(host)
    there?.delete(maConn)
    if (there?.size === 0) byHost.delete(host)
  }
  return {
    remove,
    add(host: string, maConn: MultiaddrConnection): void {
      const there = byHost.get(host) ?? new Set()
      byHost.set(host, there.add(maConn))
      inOrder.set(maConn, host)
      maConn.addEventListener('close', () => remove(host, maConn), { once: true })
    },
    of: (host: string): number => byHost.get(host)?.size ?? 0,
    dropOldest(isMeant: (host: string) => boolean): void {
      for (const [maConn, host] of inOrder) {
        if (!isMeant(host)) continue
        remove(host, maConn)
        maConn.abort(new Error('it did not say in time who it is'))
        return
      }
    },
    inAll(isCounted: (host: string) => boolean): number {
      let sum = 0
      for (const [host, there] of byHost) if (isCounted(host)) sum += there.size
      return sum
    },
  }
}
