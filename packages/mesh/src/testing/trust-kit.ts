import { join } from 'node:path'
import { silentLogger } from '@qmtcode/protocol'
import type { Clock, PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'
import { openKnownPeersFile } from '../trust/known-peers-file.ts'
import type { KnownPeersContent } from '../trust/known-peers-file.ts'
import { openInviteLink, proofOf } from '../trust/invite-link.ts'
import { createMembership } from '../trust/membership.ts'
import type { Membership } from '../trust/membership.ts'
import { createTrustBook } from '../trust/trust-book.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import type { InviteInit } from '@qmtcode/protocol'
import { newHome } from './mesh-kit.ts'
import type { Signer } from './signer.ts'
import { HELLO } from './stranger.ts'

/** What a node trusts, without its network and its disk. */
export interface TrustNode extends Signer {
  membership: Membership
  trust: TrustBook
  content: KnownPeersContent
  /** `banned`, `unknown`, or its role. */
  says(of: { self: PeerId }): string
}

export async function trustNode(signer: Signer, clock: Clock): Promise<TrustNode> {
  const { content } = await openKnownPeersFile(join(await newHome(), 'known_peers.json'))
  const file = { content, save: () => Promise.resolve() }
  const { key, self } = signer
  const trust = createTrustBook({ clock, file }, { self, configured: [], open: false })
  const addresses = (): string[] => ['/ip4/127.0.0.1/tcp/1']
  const membership = createMembership({ clock, log: silentLogger, key, trust, content, addresses }, { self })
  return {
    ...signer,
    membership,
    trust,
    content,
    says: (of) => trust.standing(of.self).role ?? trust.standing(of.self).state,
  }
}

export const helloOf = ({ membership }: TrustNode): Hello => {
  const { rotated, chains } = membership.shown()
  return { ...HELLO, rotated, grants: chains.map((chain) => [...chain]) }
}

const isBannedAt = (at: TrustNode, peer: TrustNode): boolean => at.trust.standing(peer.self).state === 'banned'

/** Two nodes meet as they do on a connection: each shows what it is, gets what is granted, and hears bans, but of `mute`; nothing where one is banned. */
export async function meet(a: TrustNode, b: TrustNode, mute?: TrustNode): Promise<void> {
  if (isBannedAt(a, b) || isBannedAt(b, a)) return
  const answer = await b.membership.asked(a.self, helloOf(a))
  await a.membership.heard(b.self, { ...helloOf(b), ...answer })
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    if (from === mute || from.trust.standing(to.self).role === undefined) continue
    for (const { ban } of from.trust.grants.bansAfter(0)) await to.membership.takeBan(ban)
  }
}

/** `joiner` redeems an invite of `inviter`. */
export async function joins(joiner: TrustNode, inviter: TrustNode, init: InviteInit = {}): Promise<void> {
  const link = await openInviteLink((await inviter.membership.invite(init)).url)
  const { granted, refused } = await inviter.membership.asked(joiner.self, {
    ...helloOf(joiner),
    join: { id: link.id, proof: proofOf(link, joiner.self) },
  })
  if (!granted) throw new Error(`not joined: ${refused?.message ?? ''}`)
  await joiner.membership.joined(link, granted, { use: false })
}
