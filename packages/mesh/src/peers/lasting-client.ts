import { AppError } from '@qmtcode/protocol'
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
    return (input: unknown, options?: CallOptions): AsyncIterable<unknown> => ({
      [Symbol.asyncIterator]: () =>
        openedLate(async () => {
          const call = methodOf(await connect(contract, options?.signal), contract, name)
          return (call(input, options) as AsyncIterable<unknown>)[Symbol.asyncIterator]()
        }),
    })
  }
}

/** An iterator that is opened by its first `next`, and then is nothing but that one: a generator between would cost two promises an item. */
function openedLate(open: () => Promise<AsyncIterator<unknown>>): AsyncIterator<unknown> {
  let opening: Promise<AsyncIterator<unknown>> | undefined
  let inner: AsyncIterator<unknown> | undefined
  const first = async (): Promise<IteratorResult<unknown>> => {
    inner = await (opening ??= open())
    return await inner.next()
  }
  return {
    next: () => (inner ? inner.next() : first()),
    return: async () => {
      opening ??= Promise.reject(new AppError('cancelled', 'the stream was left before it began'))
      const opened = await opening.catch(() => undefined)
      return (await opened?.return?.()) ?? { done: true, value: undefined }
    },
  }
}

type AnyCall = (input: unknown, options?: CallOptions) => Promise<unknown> | AsyncIterable<unknown>

/** The table's types are gone at run time; inputs and outputs are the contract's to check. */
function methodOf(caller: ContractCaller, contract: Contract, name: string): AnyCall {
  return (caller.client(contract) as unknown as Record<string, AnyCall>)[name] as AnyCall
}
