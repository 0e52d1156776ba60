import type { Board, boardContract } from '../board.ts'
import type { ContractClient, ContractHandlers } from '../contract.ts'
import { endCleanly } from './clean-end.ts'

export function boardOverRpc(client: ContractClient<typeof boardContract>): Board {
  return {
    list: async (query = {}) => (await client.list(query)).notes,
    add: async (text, by) => client.add({ text, by }),
    edit: async (id, text) => client.edit({ id, text }),
    async remove(id) {
      await client.remove({ id })
    },
    follow: ({ signal } = {}) => endCleanly(client.follow({}, { signal }), signal),
  }
}

export function boardHandlers(board: Board): ContractHandlers<typeof boardContract> {
  return {
    list: async (query) => ({ notes: await board.list(query) }),
    add: async ({ text, by }) => board.add(text, by),
    edit: async ({ id, text }) => board.edit(id, text),
    remove: async ({ id }) => {
      await board.remove(id)
      return {}
    },
    follow: (_, { signal }) => board.follow({ signal }),
  }
}
