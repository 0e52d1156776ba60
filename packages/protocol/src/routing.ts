import { z } from 'zod'
import { stream, unary, defineContract } from './contract.ts'

/** Where an agent's model calls go. `peer` is a configured name, a pinned node name, or a peer id. */
export const routeTargetSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('local') }),
  z.object({ kind: z.literal('peer'), peer: z.string().min(1) }),
  z.object({ kind: z.literal('any') }),
])
export type RouteTarget = z.infer<typeof routeTargetSchema>

export const routingPolicySchema = z.object({
  agentId: z.string(),
  providerTarget: routeTargetSchema,
  /** Peer id, when the target is known right now. */
  resolvedProviderNodeId: z.string().optional(),
  /** One sentence: why it is so, or why it cannot be resolved now. */
  reason: z.string(),
})
export interface RoutingPolicy extends z.infer<typeof routingPolicySchema> {}

/** Immutable: a later change makes a new snapshot. */
export interface RoutingSnapshot {
  get(agentId: string): RoutingPolicy | undefined
  policies(): readonly RoutingPolicy[]
}

export interface Routes {
  load(): RoutingSnapshot
  /** The current snapshot, then each new one, until `signal` aborts. */
  follow(options?: { signal?: AbortSignal }): AsyncIterable<RoutingSnapshot>
}

export const routesContract = defineContract('routes', 1, {
  list: unary(z.object({}), z.array(routingPolicySchema)),
  follow: stream(z.object({}), z.array(routingPolicySchema)),
})
