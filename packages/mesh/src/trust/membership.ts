import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, isAppError, silentAudit, toAppError } from '@qmtcode/protocol'
import type { Audit, Clock, Logger, PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'
import { createBanning } from './banning.ts'
import type { Banning } from './banning.ts'
import { createCredentials } from './credentials.ts'
import type { Credentials } from './credentials.ts'
import { isCurrent, openChain } from './grant.ts'
import type { Chain, Grants } from './grant.ts'
import type { InviteLink } from './invite-link.ts'
import { createInviting } from './inviting.ts'
import type { Inviting } from './inviting.ts'
import { createIssuer } from './issuer.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { createRenewals } from './renewals.ts'
import type { TrustBook } from './trust-book.ts'

/** What this node is in its meshes: it invites, redeems, renews, bans, and keeps what others show. */
export interface Membership extends Pick<Credentials, 'shown'>, Omit<Inviting, 'redeem'>, Banning {
  /** Takes what a peer's hello shows, and gives what the answer is to carry. Never throws. */
  asked(peerId: PeerId, hello: Hello): Promise<Pick<Hello, 'granted' | 'refused'>>
  /** Takes what a peer's answer shows. Never throws. */
  heard(peerId: PeerId, hello: Hello): Promise<void>
  /** Keeps the grant that `link` brought, and what it says of its inviter. Throws bad_request, forbidden. */
  joined(link: InviteLink, granted: Chain, about: { name?: string; use: boolean }): Promise<void>
  /** This node's own grants changed: whoever is connected is to see them. */
  onOwn(listener: () => void): void
  /** Whether `peerId` should be asked to renew a grant of this node. */
  wantsRenewal(peerId: PeerId): boolean
}

export interface MembershipComponents {
  clock: Clock
  log: Logger
  audit?: Audit
  key: Ed25519PrivateKey
  trust: TrustBook
  content: KnownPeersContent
  /** Dialable, with `/p2p`. */
  addresses(): string[]
}

export function createMembership(components: MembershipComponents, options: { self: PeerId }): Membership {
  const { log, audit = silentAudit, trust } = components
  const listeners: (() => void)[] = []
  const tellOwn = (): void => {
    for (const listener of listeners) listener()
  }
  const issuer = createIssuer(components, options)
  const { redeem, ...inviting } = createInviting({ ...components, audit, issuer }, options)
  const { shown, take } = createCredentials({ ...components, onMoved: tellOwn }, options)
  const renewals = createRenewals({ ...components, issuer, onOwn: tellOwn }, options)

  return {
    ...inviting,
    ...createBanning(components, options),
    shown,
    async asked(peerId, hello) {
      await take(peerId, hello)
      try {
        const granted = hello.join ? await redeem(peerId, hello.join) : await renewals.give(peerId)
        return granted ? { granted: [...granted] } : {}
      } catch (error) {
        const { code, message } = toAppError(error)
        log.info('an invite was not redeemed', { peerId, invite: hello.join?.id, code, error: message })
        audit.note({ kind: 'invite', direction: 'in', what: 'redeemed', peerId, target: hello.join?.id, outcome: code, reason: message })
        return hello.join ? { refused: { code, message: isAppError(error) ? message.slice(0, 300) : 'it failed there' } } : {}
      }
    },
    async heard(peerId, hello) {
      await take(peerId, hello)
      try {
        if (hello.granted) await renewals.take(peerId, hello.granted)
      } catch (error) {
        log.info('refused a renewed grant', { peerId, error: toAppError(error).message })
      }
    },
    async joined(link, granted, { name, use }) {
      const opened = await requireJoined(link, granted, { ...options, now: components.clock.now() })
      await trust.update(() => {
        trust.grants.pinRoot(link.root)
        trust.grants.keepOwn(link.root, granted)
        const [first, ...rest] = opened.slice(0, -1)
        if (first && trust.grants.prevails(link.inviter, [first, ...rest])) trust.grants.keep(link.inviter, granted.slice(0, -1))
        trust.introduce(link.inviter, { name, use: use ? true : undefined, addresses: link.addresses })
      })
      tellOwn()
    },
    onOwn: (listener) => listeners.push(listener),
    wantsRenewal: renewals.isWantedOf,
  }
}

async function requireJoined({ root, inviter }: InviteLink, granted: Chain, { self, now }: { self: PeerId; now: number }): Promise<Grants> {
  const opened = await openChain(granted)
  const last = opened.at(-1)
  if (opened[0].root !== root || last?.to !== self || last.by !== inviter) {
    throw new AppError('bad_request', 'the grant that came for the invite is not for this node, or not of its mesh')
  }
  if (!isCurrent(opened, now)) {
    throw new AppError('forbidden', 'the grant that came for the invite does not count now: it has ended, or begins later than now', {
      hint: 'compare the clocks of both machines; then ask for a new invite there: qmtcode invite',
    })
  }
  return opened
}
