import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { AppError, isAppError, isoTime, nodeNameSchema, toAppError } from '@qmtcode/protocol'
import type { Clock, JoinOptions, Joined, PeerId } from '@qmtcode/protocol'
import { parseDialAddress } from '../addresses/multiaddrs.ts'
import type { Greeter } from '../handshake/greeter.ts'
import type { Hello } from '../handshake/hello.ts'
import { endOf, readChain } from './grant.ts'
import type { Chain } from './grant.ts'
import { openInviteLink, proofOf } from './invite-link.ts'
import type { InviteLink } from './invite-link.ts'
import type { Membership } from './membership.ts'
import type { TrustBook } from './trust-book.ts'

export interface JoinComponents {
  clock: Clock
  trust: TrustBook
  membership: Membership
  greeter: Greeter
  dial(address: Multiaddr, options: { signal: AbortSignal }): Promise<Connection>
}

/** Redeems an invite: dials its inviter, checks that its key answers, proves to hold the secret, keeps the grant. See `Trust.join`. */
export async function joinMesh(
  url: string,
  components: JoinComponents,
  { self, addressMs, name, use = true, unlessMember, signal }: JoinOptions & { self: PeerId; addressMs: number },
): Promise<Joined> {
  const { clock, trust, membership } = components
  const link = await openInviteLink(url)
  const member = unlessMember === true ? trust.grants.own().find(({ root }) => root === link.root) : undefined
  if (member) return joinedOf(link, member.chain, trust)
  requireOpen(link, self, clock.now())
  const given = name === undefined ? undefined : requireName(trust, name, link.inviter)
  const { hello, connection } = await askInviter(link, components, { self, addressMs, signal })
  if (hello.refused) {
    connection.abort(new Error('the invite was not redeemed'))
    throw new AppError(hello.refused.code, `${link.inviter} did not take the invite: ${hello.refused.message}`, { hint: HINT })
  }
  if (!hello.granted)
    throw new AppError('unsupported', `${link.inviter} knows no invites`, { hint: 'run the same version of qmtcode on both' })
  await membership.joined(link, hello.granted, { name: given ?? hello.name, use })
  return joinedOf(link, hello.granted, trust)
}

function joinedOf({ root, inviter, role }: InviteLink, chain: Chain, trust: TrustBook): Joined {
  const grants = readChain(chain)
  return {
    root,
    inviter,
    name: trust.nameOf(inviter),
    role: grants.at(-1)?.role ?? role,
    expiresAt: endOf(grants),
    use: trust.standing(inviter).use,
  }
}

const HINT = 'ask for a new one there: qmtcode invite'

function requireOpen(link: InviteLink, self: PeerId, now: number): void {
  if (link.inviter === self)
    throw new AppError('bad_request', 'this invite is of this node itself', { hint: 'open it on the machine that shall join' })
  if (now >= link.expiresAt) throw new AppError('forbidden', `the invite expired at ${isoTime(link.expiresAt)}`, { hint: HINT })
}

function requireName(trust: TrustBook, name: string, inviter: PeerId): string {
  if (!nodeNameSchema.safeParse(name).success) throw new AppError('bad_request', `${JSON.stringify(name)} is no node name`)
  if (trust.pins.isTaken(name, inviter))
    throw new AppError('conflict', `${name} is the name of another peer`, { hint: 'give another --name' })
  return name
}

/** The first address at which the inviter's key answers. */
async function askInviter(
  link: InviteLink,
  components: JoinComponents,
  { self, addressMs, signal }: { self: PeerId; addressMs: number; signal?: AbortSignal },
): Promise<{ hello: Hello; connection: Connection }> {
  const join = { id: link.id, proof: proofOf(link, self) }
  let failure: AppError | undefined
  for (const address of link.addresses) {
    try {
      const bound = AbortSignal.timeout(addressMs)
      const connection = await components.dial(dialable(address), { signal: signal ? AbortSignal.any([signal, bound]) : bound })
      return { hello: await greetInviter(connection, link, { greeter: components.greeter, join }), connection }
    } catch (error) {
      signal?.throwIfAborted()
      // Somebody else behind one address may stand before the inviter behind the next.
      failure = failure?.code === 'conflict' ? failure : reasonOf(error, link, address)
    }
  }
  throw failure ?? new AppError('bad_request', 'the invite names no address')
}

async function greetInviter(
  connection: Connection,
  link: InviteLink,
  { greeter, join }: { greeter: Greeter; join: NonNullable<Hello['join']> },
): Promise<Hello> {
  const answered = connection.remotePeer.toString()
  try {
    if (answered !== link.inviter) {
      throw new AppError('conflict', `another node answers there: ${answered}, not the inviter ${link.inviter}`, { hint: HINT })
    }
    return await greeter.greet(connection, { join })
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** Without `/p2p`: the id that answers is checked here, so that another can be named. */
const dialable = (address: string): Multiaddr =>
  multiaddr(
    parseDialAddress(address)
      .toString()
      .replace(/\/p2p\/[^/]+$/, ''),
  )

function reasonOf(error: unknown, { inviter }: InviteLink, address: string): AppError {
  if (isAppError(error, 'conflict', 'not_admitted', 'unsupported', 'bad_request')) return error
  return new AppError('peer_unreachable', `cannot reach the inviter ${inviter} at ${address}: ${toAppError(error).message.slice(0, 200)}`, {
    cause: error,
    hint: 'does qmtcode --mesh run there, and is this network the same?',
  })
}
