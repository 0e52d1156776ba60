import type { ContractClient, ContractHandlers } from '../contract.ts'
import type { Models, modelsContract } from '../models.ts'

export function modelsOverRpc(client: ContractClient<typeof modelsContract>): Models {
  return {
    offers: async (options) => client.offers({}, options),
    stream: (request, options) => client.stream(request, options),
  }
}

export function modelsHandlers(models: Models): ContractHandlers<typeof modelsContract> {
  return {
    offers: async (_input, { signal }) => models.offers({ signal }),
    stream: (request, { signal }) => models.stream(request, { signal }),
  }
}
