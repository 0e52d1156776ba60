import type { ContractClient, ContractHandlers } from '../contract.ts'
import type { Routes, RoutingPolicy, RoutingSnapshot, routesContract } from '../routing.ts'
import { endCleanly } from './clean-end.ts'

/** `load()` gives the routes as they were when this resolved, or the newest that a `follow` of it has read since. */
export async function routesOverRpc(client: ContractClient<typeof routesContract>): Promise<Routes> {
  let latest = snapshotOf(await client.list({}))
  async function* follow(signal: AbortSignal | undefined): AsyncGenerator<RoutingSnapshot, void, undefined> {
    for await (const policies of endCleanly(client.follow({}, { signal }), signal)) {
      latest = snapshotOf(policies)
      yield latest
    }
  }
  return {
    load: () => latest,
    follow: ({ signal } = {}) => follow(signal),
  }
}

export function routesHandlers(routes: Routes): ContractHandlers<typeof routesContract> {
  return {
    list: async () => [...routes.load().policies()],
    async *follow(_input, { signal }) {
      for await (const snapshot of routes.follow({ signal })) yield [...snapshot.policies()]
    },
  }
}

function snapshotOf(policies: readonly RoutingPolicy[]): RoutingSnapshot {
  const byAgent = new Map(policies.map((policy) => [policy.agentId, policy]))
  return { get: (agentId) => byAgent.get(agentId), policies: () => policies }
}
