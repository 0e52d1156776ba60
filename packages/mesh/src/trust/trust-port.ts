import type { Clock, PeerId, Trust } from '@qmtcode/protocol'
import type { Greeter } from '../handshake/greeter.ts'
import type { Libp2pHost } from '../libp2p-host.ts'
import { openInviteLink } from './invite-link.ts'
import { joinMesh } from './join.ts'
import type { Membership } from './membership.ts'
import type { TrustBook } from './trust-book.ts'

export interface TrustPortComponents {
  clock: Clock
  trust: TrustBook
  membership: Membership
  greeter: Greeter
  host: Libp2pHost
}

/** Decisions of this node, and what it is in its meshes, as one port. */
export function trustPort(components: TrustPortComponents, options: { self: PeerId; addressMs: number }): Trust {
  const { trust, membership, host } = components
  return {
    list: () => trust.list(),
    admit: (peerId, init) => trust.admit(peerId, init),
    setRole: (peerId, role) => trust.setRole(peerId, role),
    use: (peerId, use) => trust.use(peerId, use),
    ban: (peerId, { mesh } = {}) => (mesh === true ? membership.ban(peerId) : trust.ban(peerId)),
    unban: (peerId) => membership.unban(peerId),
    forget: (peerId) => trust.forget(peerId),
    invite: (init) => membership.invite(init),
    invites: () => membership.invites(),
    revoke: (inviteId) => membership.revoke(inviteId),
    readInvite: async (text) => {
      const { root, inviter, role, expiresAt } = await openInviteLink(text)
      return { root, inviter, role, expiresAt }
    },
    join: (url, init) => joinMesh(url, { ...components, dial: host.libp2p.dial.bind(host.libp2p) }, { ...init, ...options }),
  }
}
