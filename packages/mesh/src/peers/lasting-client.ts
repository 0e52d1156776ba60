import type { CallOptions, Contract, ContractClient } from '@qmtcode/protocol'
import type { RpcClient } from '../rpc/types.ts'

/** Contracts of one peer. */
export type ContractCaller = Pick<RpcClient, 'client'>

/**
 * Calls to a peer that outlive its connections: each call asks `connect` for the client of now.
 * A call under way on a lost connection fails with link_lost; the next one uses the new connection.
 */
export function lastingClient(connect: (contract: Contract, signal?: AbortSignal) => Promise<ContractCaller>): ContractCaller {
  return {
    client<C extends Contract>(contract: C): ContractClient<C> {
      const methods = Object.entries(contract.methods).map(([name, { kind }]) => [
        name,
        kind === 'unary' ? unaryCall(contract, name) : streamCall(contract, name),
      ])
      return Object.fromEntries(methods) as ContractClient<C>
    },
  }

  function unaryCall(contract: Contract, name: string) {
    return async (input: unknown, options?: CallOptions): Promise<unknown> => {
      const call = methodOf(await connect(contract, options?.signal), contract, name)
      return await call(input, options)
    }
  }
  function streamCall(contract: Contract, name: string) {
    return async function* (input: unknown, options?: CallOptions): AsyncGenerator {
      const call = methodOf(await connect(contract, options?.signal), contract, name)
      yield* call(input, options) as AsyncIterable<unknown>
    }
  }
}

type AnyCall = (input: unknown, options?: CallOptions) => Promise<unknown> | AsyncIterable<unknown>

/** The table's types are gone at run time; inputs and outputs are the contract's to check. */
function methodOf(caller: ContractCaller, contract: Contract, name: string): AnyCall {
  return (caller.client(contract) as unknown as Record<string, AnyCall>)[name] as AnyCall
}
