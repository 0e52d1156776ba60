import { z } from 'zod'
import { defineContract, stream, unary } from './contract.ts'
import { peerIdSchema } from './ids.ts'
import { LIMITS } from './limits.ts'
import { statedInstant, statedName, statedText } from './stated.ts'

const noteIdSchema = z.string().min(1).max(200)

/** Who put a note down: `user` as its node claims, `agent` where it was an agent by its tool. */
export const noteWriterSchema = z.object({ user: statedName(100).optional(), agent: statedName(100).optional() })
export interface NoteWriter extends z.infer<typeof noteWriterSchema> {}

const noteSchema = z.object({
  /** `<peer id of its node>/<number>`; grows with time within a node. */
  id: noteIdSchema,
  /** The node that signed it, and its name as known here. */
  peerId: peerIdSchema,
  node: statedName(),
  by: noteWriterSchema,
  text: statedText(LIMITS.noteBytes),
  /** Milliseconds since 1970, by its node's clock. */
  at: statedInstant(),
  /** The node that changed it last, and when: the author, or an admin. */
  edited: z.object({ at: statedInstant(), peerId: peerIdSchema, node: statedName() }).optional(),
})
export interface Note extends z.infer<typeof noteSchema> {}

const boardQuerySchema = z.object({
  /** Only of this node. */
  peerId: peerIdSchema.optional(),
  /** Only with these words, whatever their case. */
  match: z.string().max(200).optional(),
  /** Default: 100. */
  limit: z.int().positive().max(LIMITS.pageSize).optional(),
})
export interface BoardQuery extends z.infer<typeof boardQuerySchema> {}

const boardEventSchema = z.discriminatedUnion('type', [
  /** New, or changed. */
  z.object({ type: z.literal('note.written'), note: noteSchema }),
  z.object({ type: z.literal('note.removed'), id: noteIdSchema }),
])
export type BoardEvent = z.infer<typeof boardEventSchema>

/**
 * The team's notes: each member holds all of them, and what two sides of a partition wrote is there when they meet again.
 * A resolved change is on this node's disk; members that are linked have it within a moment, the others when they come.
 */
export interface Board {
  /** The newest first. */
  list(query?: BoardQuery): Promise<Note[]>
  /** Throws too_large for more than 4 KiB. The oldest note of this node beyond 1,000 goes. */
  add(text: string, by?: NoteWriter): Promise<Note>
  /** For its node and for admins: on each node counts whoever is an admin there. Throws not_found, too_large. */
  edit(id: string, text: string): Promise<Note>
  remove(id: string): Promise<void>
  /** What changes from now on. */
  follow(options?: { signal?: AbortSignal }): AsyncIterable<BoardEvent>
}

const text = z.string().min(1).max(LIMITS.noteBytes)

export const boardContract = defineContract('board', 1, {
  list: unary(boardQuerySchema, z.object({ notes: z.array(noteSchema).max(LIMITS.gossipEntries) })),
  add: unary(z.object({ text, by: noteWriterSchema.optional() }), noteSchema),
  edit: unary(z.object({ id: noteIdSchema, text }), noteSchema),
  remove: unary(z.object({ id: noteIdSchema }), z.object({})),
  follow: stream(z.object({}), boardEventSchema),
})
