import { modelsContract } from '@qmtcode/protocol'
import type { Models, ModelRequest, Sessions } from '@qmtcode/protocol'
import type { ContractCaller } from './lasting-client.ts'

export function modelsOverRpc(caller: ContractCaller): Models {
  const client = caller.client(modelsContract)
  return { offers: (options) => client.offers({}, options), stream: (request: ModelRequest, options) => client.stream(request as never, options) as never }
}
export function sessionsOverRpc(_: ContractCaller): Sessions {
  throw new Error('later')
}
