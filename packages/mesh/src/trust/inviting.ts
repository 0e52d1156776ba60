import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, inviteInitSchema, nodeNameSchema, roleIncludes } from '@qmtcode/protocol'
import type { Audit, Clock, InviteInfo, InviteInit, Logger, NewInvite, PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'
import { readChain } from './grant.ts'
import type { Chain } from './grant.ts'
import { createInviteBook } from './invite-book.ts'
import type { StoredInvite } from './invite-book.ts'
import { MAX_INVITE_ADDRESSES, writeInviteLink } from './invite-link.ts'
import type { Issuer } from './issuer.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import type { TrustBook } from './trust-book.ts'

/** Invites of this node, and who comes by them. */
export interface Inviting {
  invite(init?: InviteInit): Promise<NewInvite>
  invites(): Promise<InviteInfo[]>
  revoke(inviteId: string): Promise<InviteInfo>
  /** The grant of a joiner that proves to hold the secret. Throws forbidden, and what `InviteBook.redeem` throws. */
  redeem(joiner: PeerId, join: NonNullable<Hello['join']>): Promise<Chain>
}

export interface InvitingComponents {
  clock: Clock
  log: Logger
  audit: Audit
  key: Ed25519PrivateKey
  trust: TrustBook
  content: KnownPeersContent
  issuer: Issuer
  /** Dialable, with `/p2p`. */
  addresses(): string[]
}

export function createInviting(components: InvitingComponents, { self }: { self: PeerId }): Inviting {
  const { clock, log, audit, key, trust, content, issuer } = components
  const book = createInviteBook({ clock, invites: content.invites }, { self })

  return {
    async invite(init = {}) {
      const { name, role, ttlMs, uses, labels } = parseInit(init)
      const { root, chain } = issuer.place()
      const addresses = invitable(components.addresses())
      const granter = readChain(chain).at(-1)
      if (granter && !roleIncludes(granter.role, role)) throw new AppError('forbidden', `this node may not give the role ${role} there`)
      const invite = await trust.update(() => book.add({ name, role, labels, root, uses, ttlMs }))
      const link = { id: invite.id, secret: invite.secret, inviter: self, root, role, expiresAt: invite.expiresAt, addresses }
      const url = await writeInviteLink(link, key)
      const info = book.list().find(({ id }) => id === invite.id)
      if (!info) throw new AppError('internal', 'the invite is gone')
      return { ...info, url }
    },
    invites: () => Promise.resolve(book.list()),
    revoke: async (inviteId) => await trust.update(() => book.revoke(inviteId)),
    async redeem(joiner, { id, proof }) {
      if (trust.standing(joiner).state === 'banned') throw new AppError('forbidden', 'this node is banned there')
      const invite = book.redeem(id, proof, joiner)
      await trust.update(() => undefined, joiner) // counted on disk before anything is given
      const chain = await issuer.issue({ to: joiner, role: invite.role, labels: invite.labels }, invite.root)
      await trust.update(() => {
        trust.grants.keep(joiner, chain)
        trust.introduce(joiner, { name: nameFor(invite) })
      }, joiner)
      log.info('joined by an invite', { peerId: joiner, invite: id, role: invite.role })
      const about = { peerId: joiner, name: trust.nameOf(joiner), target: id }
      audit.note({ kind: 'invite', direction: 'in', what: 'redeemed', ...about, outcome: 'ok', reason: `as ${invite.role}` })
      return chain
    },
  }
}

const nameFor = ({ name, uses }: StoredInvite): string | undefined => (uses === 1 ? name : undefined)

function parseInit(init: InviteInit): ReturnType<typeof inviteInitSchema.parse> {
  const parsed = inviteInitSchema.safeParse(init)
  const [issue] = parsed.error?.issues ?? []
  if (!parsed.success)
    throw new AppError('bad_request', `an invite with a wrong ${issue?.path.join('.') ?? 'form'}: ${issue?.message ?? ''}`)
  const { name, uses } = parsed.data
  if (name !== undefined && !nodeNameSchema.safeParse(name).success)
    throw new AppError('bad_request', `${JSON.stringify(name)} is no node name`)
  if (name !== undefined && uses > 1) throw new AppError('bad_request', "an invite of several uses has no name: a name is one peer's")
  return parsed.data
}

/** Addresses that another machine may dial; those of this machine alone only where there are no others. Throws bad_request for none. */
function invitable(addresses: readonly string[]): string[] {
  const plain = [...new Set(addresses.map((address) => address.replace(/\/p2p\/[^/]+$/, '')))]
  const outside = plain.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address))
  const chosen = (outside.length > 0 ? outside : plain).slice(0, MAX_INVITE_ADDRESSES)
  if (chosen.length > 0) return chosen
  throw new AppError('bad_request', 'this node listens nowhere: nobody could come to redeem an invite', {
    hint: 'set listen in [mesh], or --mesh-listen',
  })
}
