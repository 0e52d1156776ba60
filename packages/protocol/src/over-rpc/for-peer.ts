import { z } from 'zod'
import type {
  CallContext,
  CallOptions,
  Contract,
  ContractClient,
  ContractHandlers,
  MethodTable,
  StreamMethod,
  UnaryMethod,
} from '../contract.ts'
import { peerIdSchema } from '../ids.ts'
import type { PeerId } from '../ids.ts'
import { modelsContract } from '../models.ts'
import { sessionsContract } from '../sessions.ts'

type Addressed<In extends z.ZodType> = z.ZodObject<{ peerId: typeof peerIdSchema; call: In }>
type ForPeer<Methods extends MethodTable> = {
  [Name in keyof Methods]: Methods[Name] extends UnaryMethod<infer In, infer Out>
    ? UnaryMethod<Addressed<In>, Out>
    : Methods[Name] extends StreamMethod<infer In, infer Item>
      ? StreamMethod<Addressed<In>, Item>
      : never
}

/** The same service of a peer, reached through the node that serves this contract: `/qmt/peer-<service>/<version>`. */
function forPeer<const Methods extends MethodTable>(contract: Contract<Methods>): Contract<ForPeer<Methods>> {
  const methods = Object.entries(contract.methods).map(([name, method]) => [
    name,
    { ...method, input: z.object({ peerId: peerIdSchema, call: method.input }) },
  ])
  return { service: `peer-${contract.service}`, version: contract.version, methods: Object.fromEntries(methods) as ForPeer<Methods> }
}

export const peerSessionsContract = forPeer(sessionsContract)
export const peerModelsContract = forPeer(modelsContract)

type AnyCall = (input: unknown, options?: CallOptions) => unknown
type AnyHandler = (input: unknown, context: CallContext) => unknown

/** `contract` at `peerId`, through a client of its `forPeer`. What a port gains, it gains here. */
export function clientForPeer<Methods extends MethodTable>(
  contract: Contract<Methods>,
  client: ContractClient<Contract<ForPeer<Methods>>>,
  peerId: PeerId,
): ContractClient<Contract<Methods>> {
  const through = client as Record<string, AnyCall>
  const calls = Object.keys(contract.methods).map((name): [string, AnyCall] => [
    name,
    (call, options) => through[name]?.({ peerId, call }, options),
  ])
  return Object.fromEntries(calls) as ContractClient<Contract<Methods>>
}

/** Serves the `forPeer` of `contract` with the handlers of each peer. */
export function handlersForPeer<Methods extends MethodTable>(
  contract: Contract<Methods>,
  handlersOf: (peerId: PeerId) => ContractHandlers<Contract<Methods>>,
): ContractHandlers<Contract<ForPeer<Methods>>> {
  const handlers = Object.keys(contract.methods).map((name): [string, AnyHandler] => [
    name,
    (input, context) => {
      const { peerId, call } = input as { peerId: PeerId; call: unknown }
      return (handlersOf(peerId) as Record<string, AnyHandler>)[name]?.(call, context)
    },
  ])
  return Object.fromEntries(handlers) as ContractHandlers<Contract<ForPeer<Methods>>>
}
