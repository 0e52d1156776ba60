import type { ContractClient, ContractHandlers } from '../contract.ts'
import type { Trust, trustContract } from '../peers.ts'

export function trustOverRpc(client: ContractClient<typeof trustContract>): Trust {
  return {
    list: async () => client.list({}),
    admit: async (peerId, options = {}) => client.admit({ peerId, role: options.role, name: options.name }),
    setRole: async (peerId, role) => client.setRole({ peerId, role }),
    use: async (peerId, use) => client.use({ peerId, use }),
    ban: async (peerId, { mesh } = {}) => client.ban({ peerId, mesh }),
    unban: async (peerId) => client.unban({ peerId }),
    async forget(peerId) {
      await client.forget({ peerId })
    },
    invite: async (init = {}) => client.invite(init),
    invites: async () => client.invites({}),
    revoke: async (inviteId) => client.revoke({ inviteId }),
    readInvite: async (text) => client.readInvite({ text }),
    join: async (url, { signal, ...options } = {}) => client.join({ url, ...options }, { signal }),
  }
}

export function trustHandlers(trust: Trust): ContractHandlers<typeof trustContract> {
  return {
    list: async () => trust.list(),
    admit: async ({ peerId, role, name }) => trust.admit(peerId, { role, name }),
    setRole: async ({ peerId, role }) => trust.setRole(peerId, role),
    use: async ({ peerId, use }) => trust.use(peerId, use),
    ban: async ({ peerId, mesh }) => trust.ban(peerId, { mesh }),
    unban: async ({ peerId }) => trust.unban(peerId),
    async forget({ peerId }) {
      await trust.forget(peerId)
      return {}
    },
    invite: async (init) => trust.invite(init),
    invites: async () => trust.invites(),
    revoke: async ({ inviteId }) => trust.revoke(inviteId),
    readInvite: async ({ text }) => trust.readInvite(text),
    join: async ({ url, ...options }, { signal }) => trust.join(url, { ...options, signal }),
  }
}
