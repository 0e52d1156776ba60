import { z } from 'zod'
import { defineContract, stream, unary } from './contract.ts'
import { peerIdSchema, sessionIdSchema } from './ids.ts'
import type { PeerId, SessionId } from './ids.ts'
import { LIMITS } from './limits.ts'
import { sessionStateSchema } from './sessions.ts'
import { statedCount, statedCounter, statedInstant, statedLine, statedName, statedPath } from './stated.ts'

/** What members are told of a session: enough to find it. What anybody may do with it, its host decides when they ask. */
export const sessionRowSchema = z.object({
  id: sessionIdSchema,
  title: statedLine(LIMITS.titleChars),
  agent: statedName(100),
  state: sessionStateSchema,
  seq: statedCounter(),
  createdAt: statedInstant(),
  updatedAt: statedInstant(),
  workspace: statedPath().optional(),
  /** How many follow it. */
  followers: statedCount(),
})
export interface SessionRow extends z.infer<typeof sessionRowSchema> {}

/** A row with its host, as this node knows it. */
export const meshSessionRowSchema = sessionRowSchema.extend({
  node: statedName(),
  /** Absent for this node without a mesh identity. */
  peerId: peerIdSchema.optional(),
  /** This node's own, or of a host that this node has a link to. */
  live: z.boolean(),
  /** Told by others: when it came, and the name of the member who brought it. */
  heard: z.object({ at: statedInstant(), via: statedName() }).optional(),
})
export interface MeshSessionRow extends z.infer<typeof meshSessionRowSchema> {}

const rowEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('row.changed'), row: meshSessionRowSchema }),
  /** Deleted, no longer shown to members, or its node is forgotten. */
  z.object({ type: z.literal('row.removed'), id: sessionIdSchema, peerId: peerIdSchema.optional() }),
])
export type SessionRowEvent = z.infer<typeof rowEventSchema>

/** The sessions of this node and those that members tell of, wherever they run. */
export interface SessionRows {
  /** The newest first. */
  list(): Promise<MeshSessionRow[]>
  /** Every row now, then each that changes, until `signal` aborts. Of one row at most 4 a second; a reader that lags sees the latest only. */
  follow(options?: { signal?: AbortSignal }): AsyncIterable<SessionRowEvent>
}

export const sessionRowsContract = defineContract('session-rows', 1, {
  list: unary(z.object({}), z.array(meshSessionRowSchema).max(2 * LIMITS.gossipEntries)),
  follow: stream(z.object({}), rowEventSchema),
})

/** One row among all nodes: two hosts may hold a session of the same id. */
export const rowKeyOf = (row: { id: SessionId; peerId?: PeerId }): string => `${row.peerId ?? ''}/${row.id}`
