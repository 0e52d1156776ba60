import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import { AppError, toAppError } from '@qmtcode/protocol'
import type { Logger, PeerId } from '@qmtcode/protocol'
import { parseDialAddress, peerIdOf, withoutPeerId } from '../addresses/multiaddrs.ts'
import { byReach } from '../addresses/reach.ts'
import type { Greeter } from '../handshake/greeter.ts'
import type { ConfiguredPeer } from '../node-types.ts'
import type { TrustBook } from '../trust/trust-book.ts'

/** Somebody that this node wants a link to: a configured peer, or a known one whose use is allowed. */
export interface Target {
  name: string
  configured?: ConfiguredPeer
  /** Undefined: not known before first contact. */
  peerId?: PeerId
}

export interface DiallerComponents {
  log: Logger
  trust: TrustBook
  greeter: Greeter
  dial(address: Multiaddr, options: { signal: AbortSignal }): Promise<Connection>
  /** Addresses that the peer's directory record tells. */
  learntAddresses(peerId: PeerId): string[]
}

/**
 * Dials a target's addresses one after another, checks who answered, and greets.
 * Addresses are dialled without `/p2p`: the id that answers is checked here, so that a changed one can be named.
 */
export async function dialTarget(
  target: Target,
  components: DiallerComponents,
  options: { addressMs: number; signal: AbortSignal },
): Promise<void> {
  const addresses = addressesOf(target, components)
  if (addresses.length === 0) {
    throw new AppError('peer_unreachable', `no address of ${target.name} is known`, { hint: `give it an addr in [[mesh.peers]]` })
  }
  let failure: AppError | undefined
  for (const address of addresses) {
    try {
      return await dialOne(target, address, components, options)
    } catch (error) {
      options.signal.throwIfAborted()
      failure = worse(failure, describe(target, address, error))
      components.log.debug('dial failed', { name: target.name, address: address.toString(), error: failure.message })
    }
  }
  throw failure ?? new AppError('internal', 'nothing was dialled')
}

async function dialOne(
  target: Target,
  address: Multiaddr,
  components: DiallerComponents,
  { addressMs, signal }: { addressMs: number; signal: AbortSignal },
): Promise<void> {
  const connection = await components.dial(withoutPeerId(address), { signal: AbortSignal.any([signal, AbortSignal.timeout(addressMs)]) })
  try {
    await requireTarget(target, connection, components.trust)
    await components.greeter.greet(connection)
    components.trust.seen(connection.remotePeer.toString() as PeerId, [withoutPeerId(address).toString()])
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

async function requireTarget(target: Target, connection: Connection, trust: TrustBook): Promise<void> {
  const answered = connection.remotePeer.toString() as PeerId
  if (target.configured) return await trust.pinConfigured(target.configured, answered)
  if (answered === target.peerId) return
  throw new AppError('conflict', `it answers as ${answered}, not as ${target.peerId ?? target.name}`)
}

function addressesOf(target: Target, { trust, learntAddresses }: DiallerComponents): Multiaddr[] {
  const written = target.configured?.addr === undefined ? [] : [withoutPeerId(parseDialAddress(target.configured.addr))]
  const learnt = target.peerId === undefined ? [] : [...learntAddresses(target.peerId), ...trust.addressesOf(target.peerId)]
  const others = byReach(learnt.flatMap((text) => parsed(text, target.peerId)))
  return [...new Set([...written, ...others].map(String))].map((text) => multiaddr(text))
}

/** What others tell may be anything: an address that cannot be dialled, or names somebody else, is left out. */
function parsed(text: string, peerId: PeerId | undefined): Multiaddr[] {
  try {
    const address = parseDialAddress(text)
    return (peerIdOf(address) ?? peerId) === peerId ? [withoutPeerId(address)] : []
  } catch {
    return []
  }
}

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
    hint: 'is qmtcode --mesh running there? try: qmtcode nodes',
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
