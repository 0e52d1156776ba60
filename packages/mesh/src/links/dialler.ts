import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { Logger, PeerId } from '@qmtcode/protocol'
import { hostOf, isRelayed, parseDialAddress, peerIdOf, withoutPeerId } from '../addresses/multiaddrs.ts'
import { byReach } from '../addresses/reach.ts'
import { resolveName } from '../addresses/resolve-names.ts'
import type { LookUpName } from '../addresses/resolve-names.ts'
import type { Greeter } from '../handshake/greeter.ts'
import type { ConfiguredPeer } from '../node-types.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import { dialDeadline } from './dial-deadline.ts'
import { unreachableHint } from './refusal.ts'
import { staggered } from './staggered.ts'

/** Somebody that this node wants a link to: a configured peer, or a known one whose use is allowed. */
export interface Target {
  name: string
  configured?: ConfiguredPeer
  /** Undefined: not known before first contact. */
  peerId?: PeerId
  /** Only direct addresses are tried, and nobody is asked for others. */
  directOnly?: boolean
  /** It is linked: only these addresses are tried, and nobody is asked for others. */
  accepts?(address: Multiaddr): boolean
}

export interface DiallerComponents {
  log: Logger
  trust: TrustBook
  greeter: Greeter
  dial(address: Multiaddr, options: { signal: AbortSignal; onProgress?(event: { type: string }): void }): Promise<Connection>
  /** Aborts dials that this machine began from an address which it no longer has. */
  untilGone(): AbortSignal
  /** Whether a transport of this node dials it. */
  canDial(address: Multiaddr): boolean
  lookUpName: LookUpName
  /** Addresses that the peer's directory record and discovery tell. */
  learntAddresses(peerId: PeerId): string[]
  /** Looks for a peer that did not answer where it is known to be; never throws. */
  find(peerId: PeerId, signal: AbortSignal): Promise<string[]>
  /** Connects to a relay that is not linked, before something is dialled over it. */
  meetRelay(address: Multiaddr, signal: AbortSignal): Promise<void>
}

/** An address that does not answer delays the next one by this much, and not by the time of a whole dial. */
const STAGGER_MS = 400
const MAX_ADDRESSES = 12

/**
 * Dials a target's addresses, the better ones first, checks who answered, and greets. Where none answers, discovery is asked for others.
 * Addresses are dialled without `/p2p`: the id that answers is checked here, so that a changed one can be named.
 */
export async function dialTarget(
  target: Target,
  components: DiallerComponents,
  given: { addressMs: number; signal: AbortSignal },
): Promise<void> {
  const options = { ...given, signal: AbortSignal.any([given.signal, components.untilGone()]) }
  const known = addressesOf(target, components)
  let failure: AppError | undefined
  try {
    if (known.length > 0) return await dialAll(target, known, components, options)
  } catch (error) {
    options.signal.throwIfAborted()
    failure = toAppError(error)
    if (failure.code !== 'peer_unreachable') throw failure
  }
  if (target.directOnly === true || target.accepts) throw failure ?? noAddress(target)
  const found = target.peerId === undefined ? [] : await components.find(target.peerId, options.signal)
  options.signal.throwIfAborted()
  const others = learnt(target, found, components)
    .filter((address) => !known.some((tried) => tried.equals(address)))
    .slice(0, MAX_ADDRESSES)
  if (others.length > 0) return await dialAll(target, others, components, options)
  throw failure ?? noAddress(target)
}

const noAddress = ({ name, configured }: Target): AppError =>
  new AppError('peer_unreachable', `no address of ${name} is known`, {
    hint: configured
      ? 'give it an addr in [[mesh.peers]], or a discovery in [mesh] that finds it'
      : 'it is found when it comes near or connects',
  })

async function dialAll(
  target: Target,
  addresses: readonly Multiaddr[],
  components: DiallerComponents,
  { addressMs, signal }: { addressMs: number; signal: AbortSignal },
): Promise<void> {
  const resolved: Multiaddr[] = []
  const { addr } = target.configured ?? {}
  const configured = addr === undefined ? undefined : withoutPeerId(parseDialAddress(addr))
  const written = new Set<string>()
  let failure: AppError | undefined
  for (const address of addresses) {
    try {
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(addressMs)])
      const ips = await resolveName(address, components.lookUpName, inTime)
      resolved.push(...ips)
      if (configured?.equals(address)) for (const ip of ips) written.add(ip.toString())
    } catch (error) {
      failure = describeName(target, address, error)
    }
  }
  if (resolved.length === 0) throw failure ?? noAddress(target)
  await staggered(resolved, (address, race) => dialOne(target, address, components, { addressMs, signal: race }), {
    staggerMs: STAGGER_MS,
    signal,
    worse: (before: AppError | undefined, error, address) => {
      const described = describe(target, address, error)
      // Whoever answers at an address that was only heard of says nothing about the peer.
      const failed =
        written.has(address.toString()) || !['conflict', 'bad_config'].includes(described.code) ? described : unreachable(described)
      components.log.debug('dial failed', { name: target.name, address: address.toString(), error: failed.message })
      return worse(before, failed)
    },
  })
}

const describeName = ({ name }: Target, address: Multiaddr, error: unknown): AppError => {
  const { message, hint } = toAppError(error)
  return new AppError('peer_unreachable', `cannot reach ${name} at ${address.toString()}: ${message}`, { cause: error, hint })
}

const unreachable = (error: AppError): AppError =>
  new AppError('peer_unreachable', error.message, { cause: error, hint: 'it is looked for elsewhere' })

async function dialOne(
  target: Target,
  address: Multiaddr,
  components: DiallerComponents,
  { addressMs, signal }: { addressMs: number; signal: AbortSignal },
): Promise<void> {
  using deadline = dialDeadline(isRelayed(address) ? 2 * addressMs : addressMs, signal)
  if (isRelayed(address)) await components.meetRelay(address, deadline.signal)
  const connection = await components.dial(overRelay(address, target), deadline)
  try {
    signal.throwIfAborted()
    await meetTarget(target, connection, components)
    await components.greeter.greet(connection)
    signal.throwIfAborted()
    components.trust.seen(connection.remotePeer.toString() as PeerId, [withoutPeerId(address).toString()])
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** A relay must be told for whom; whoever is direct shows himself. */
function overRelay(address: Multiaddr, target: Target): Multiaddr {
  if (!isRelayed(address)) return withoutPeerId(address)
  if (target.peerId === undefined)
    throw new AppError('bad_config', `a relayed address of ${target.name} needs its id: …/p2p-circuit/p2p/ID`)
  return withoutPeerId(address).encapsulate(`/p2p/${target.peerId}`)
}

/** Another id than expected answers: it may show that the expected one signed itself over to it. */
async function meetTarget(target: Target, connection: Connection, { trust, greeter }: DiallerComponents): Promise<void> {
  try {
    await requireTarget(target, connection, trust)
  } catch (error) {
    if (!isAppError(error, 'conflict')) throw error
    await greeter.askRotation(connection).catch(() => Promise.reject(error)) // who answers instead is what matters
    await requireTarget(target, connection, trust)
  }
}

async function requireTarget(target: Target, connection: Connection, trust: TrustBook): Promise<void> {
  const answered = connection.remotePeer.toString() as PeerId
  if (target.configured) return await trust.pinConfigured(target.configured, answered)
  if (answered === target.peerId) return
  throw new AppError('conflict', `it answers as ${answered}, not as ${target.peerId ?? target.name}`)
}

function addressesOf(target: Target, components: DiallerComponents): Multiaddr[] {
  const { trust, learntAddresses } = components
  const written = target.configured?.addr === undefined ? [] : [withoutPeerId(parseDialAddress(target.configured.addr))]
  const told = target.peerId === undefined ? [] : [...learntAddresses(target.peerId), ...trust.addressesOf(target.peerId)]
  const dialled = written.filter((address) => hostOf(address) !== undefined && components.canDial(address))
  return unique([...dialled, ...learnt(target, told, components)])
    .filter((address) => (target.directOnly !== true || !isRelayed(address)) && target.accepts?.(address) !== false)
    .slice(0, MAX_ADDRESSES)
}

/** What others tell may be anything: an address that cannot be dialled, or names somebody else, is left out. */
function learnt({ peerId }: Target, told: readonly string[], { canDial }: DiallerComponents): Multiaddr[] {
  const usable = told.flatMap((text) => {
    try {
      const address = parseDialAddress(text)
      const isIts = (peerIdOf(address) ?? peerId) === peerId
      return isIts && hostOf(address) !== undefined && canDial(address) ? [withoutPeerId(address)] : []
    } catch {
      return []
    }
  })
  return unique(byReach(usable))
}

const unique = (addresses: readonly Multiaddr[]): Multiaddr[] => [...new Set(addresses.map(String))].map((text) => multiaddr(text))

function describe(target: Target, address: Multiaddr, error: unknown): AppError {
  const where = `${target.name} at ${address.toString()}`
  if (error instanceof AppError && error.code !== 'timeout') {
    const text = /^its? /.test(error.message) ? `${where}: ${error.message}` : error.message
    return new AppError(error.code, text, { cause: error, hint: error.hint })
  }
  if (error instanceof Error && /dial self/i.test(error.message)) {
    return new AppError('bad_config', `${where} is this node itself`, { hint: 'remove it from [[mesh.peers]]' })
  }
  return new AppError('peer_unreachable', `cannot reach ${where}: ${reasonOf(error)}`, {
    cause: error,
    hint: unreachableHint(target.name),
  })
}

function reasonOf(error: unknown): string {
  const message = toAppError(error).message
  if (error instanceof AppError) return message
  const name = error instanceof Error ? error.name : ''
  if (/ECONNREFUSED/.test(message)) return 'connection refused'
  if (/EHOSTUNREACH|ENETUNREACH/.test(message)) return 'no route to it'
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) return 'its name has no address'
  if (name === 'TimeoutError' || name === 'AbortError' || /aborted|timed? ?out/i.test(message)) return 'no answer in time'
  if (name === 'EncryptionFailedError' || /ECONNRESET/.test(message)) return `the encrypted connection failed (${message.slice(0, 120)})`
  if (name === 'ConnectionInterceptedError') return 'it is banned here'
  return message.slice(0, 200)
}

/** Of several addresses' failures the one that says most: somebody answered and refused, over nobody answered. */
function worse(first: AppError | undefined, second: AppError): AppError {
  return first && first.code !== 'peer_unreachable' ? first : second
}
