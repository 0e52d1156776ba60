import type { ContractClient, ContractHandlers } from '../contract.ts'
import { AppError } from '../errors.ts'
import type { Models, modelsContract } from '../models.ts'

export function modelsOverRpc(client: ContractClient<typeof modelsContract>): Models {
  return {
    offers: async (options) => client.offers({}, options),
    stream: (request, options) => client.stream(request, options),
    resume: (point, options) => client.resume(point, options),
    async leave(callId, options) {
      await client.leave({ callId }, options)
    },
  }
}

export function modelsHandlers(models: Models): ContractHandlers<typeof modelsContract> {
  return {
    offers: async (_input, { signal }) => models.offers({ signal }),
    stream: (request, { signal }) => models.stream(request, { signal }),
    resume: (point, { signal }) => models.resume?.(point, { signal }) ?? refuse(),
    async leave({ callId }) {
      await models.leave?.(callId)
      return {}
    },
  }
}

function refuse(): never {
  throw new AppError('unsupported', 'calls of this host do not outlive their link')
}
