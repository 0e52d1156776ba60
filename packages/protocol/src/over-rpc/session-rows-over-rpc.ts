import type { ContractClient, ContractHandlers } from '../contract.ts'
import type { SessionRows, sessionRowsContract } from '../session-rows.ts'
import { endCleanly } from './clean-end.ts'

export function sessionRowsOverRpc(client: ContractClient<typeof sessionRowsContract>): SessionRows {
  return {
    list: () => client.list({}),
    follow: ({ signal } = {}) => endCleanly(client.follow({}, { signal }), signal),
  }
}

export function sessionRowsHandlers(rows: SessionRows): ContractHandlers<typeof sessionRowsContract> {
  return {
    list: () => rows.list(),
    follow: (_input, { signal }) => rows.follow({ signal }),
  }
}
