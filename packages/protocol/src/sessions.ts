import { z } from 'zod'
import { defineContract, stream, unary } from './contract.ts'
import { ERROR_CODES } from './errors.ts'
import {
  authorSchema,
  durableEventSchema,
  permissionAnswerSchema,
  promptContentSchema,
  questionReplySchema,
  sessionEventSchema,
} from './events.ts'
import type { Author, DurableEvent, PermissionAnswer, PromptContent, QuestionReply, SessionEvent } from './events.ts'
import { peerIdSchema, promptIdSchema, sessionIdSchema } from './ids.ts'
import type { PeerId, PromptId, SessionId } from './ids.ts'
import { LIMITS } from './limits.ts'
import { nodeNameSchema } from './node-name.ts'
import { rightSchema } from './rights.ts'
import { statedAmount, statedCount, statedCounter, statedInstant, statedLine, statedName, statedPath, statedText } from './stated.ts'

export const sessionInitSchema = z.object({
  /** Agent id of the host; default: its default agent. */
  agent: statedName(100).optional(),
  /** Absolute directory of the host; default: the one qmtcode was started in. */
  workspace: statedPath().optional(),
  title: statedLine(LIMITS.titleChars).optional(),
  /** `provider/model`; default: the agent's. */
  model: statedName().optional(),
  /** `build` (default) or `plan`, which offers reading tools only. */
  mode: z.enum(['build', 'plan']).optional(),
  private: z.boolean().optional(),
  /** Nobody will answer questions: what would be asked is denied. */
  unattended: z.boolean().optional(),
  /** Tools allowed without asking in this session, by permission name: `edit`, `shell`, … */
  allow: z.array(statedName(60)).max(20).optional(),
})
export interface SessionInit extends z.infer<typeof sessionInitSchema> {}

export const sessionStateSchema = z.enum(['idle', 'running', 'waiting', 'interrupted', 'closed'])
export type SessionState = z.infer<typeof sessionStateSchema>

const sessionShareSchema = z.object({ peerId: peerIdSchema, node: nodeNameSchema, rights: z.array(rightSchema).min(1).max(4) })
/** A node, by the name that whoever shares knows it by, and what it may do. */
export interface SessionShare extends z.infer<typeof sessionShareSchema> {}

export const sessionInfoSchema = z.object({
  id: sessionIdSchema,
  title: statedLine(LIMITS.titleChars),
  agent: statedName(),
  model: statedName().optional(),
  mode: z.enum(['build', 'plan']),
  /** Host's name and peer id (absent without a mesh identity). */
  node: statedName(),
  peerId: peerIdSchema.optional(),
  /** `waiting`: for a person's answer. `interrupted`: a crash cut its last turn. */
  state: sessionStateSchema,
  workspace: statedPath(),
  private: z.boolean(),
  createdAt: statedInstant(),
  updatedAt: statedInstant(),
  /** Head of the log. */
  seq: statedCounter(),
  followers: z.array(statedName()).max(LIMITS.listItems),
  /** Nodes that were given rights, beside its creator and its host; absent: none. */
  shares: z.array(sessionShareSchema).max(LIMITS.listItems).optional(),
})
export interface SessionInfo extends z.infer<typeof sessionInfoSchema> {}

export const promptReceiptSchema = z.object({ promptId: promptIdSchema, seq: statedCounter().min(1), position: statedCount() })
export interface PromptReceipt extends z.infer<typeof promptReceiptSchema> {}

export const sessionQuerySchema = z.object({
  /** Opaque, from the page before. */
  cursor: z.string().max(200).optional(),
  limit: z.int().positive().max(LIMITS.pageSize).optional(),
})
export interface SessionQuery extends z.infer<typeof sessionQuerySchema> {}

export interface Page<Item> {
  items: Item[]
  /** For the next page; absent on the last. */
  cursor?: string
}

export const sessionChangeSchema = z.object({
  title: statedLine(LIMITS.titleChars).optional(),
  model: statedName().optional(),
  mode: z.enum(['build', 'plan']).optional(),
})
export interface SessionChange extends z.infer<typeof sessionChangeSchema> {}

/** The answer to a permission request or to a question, by its id. */
export interface SessionAnswer {
  id: string
  answer: PermissionAnswer | QuestionReply
}

const forkOptionsSchema = z.object({
  /** The last event that the fork takes over. Default: the head. */
  at: statedCounter().min(1).optional(),
  title: statedLine(LIMITS.titleChars).optional(),
})
export interface ForkOptions extends z.infer<typeof forkOptionsSchema> {}

const fileQuerySchema = z.object({
  /** Directory within the workspace. Default: its root. */
  path: statedPath().optional(),
  /** Only paths that hold these characters in this order, best first, and of all directories below `path`. */
  match: z.string().max(200).optional(),
  limit: z.int().positive().max(LIMITS.pageSize).optional(),
})
export interface FileQuery extends z.infer<typeof fileQuerySchema> {}

const workspaceFileSchema = z.object({
  /** Relative to the workspace, with `/`. */
  path: statedPath(),
  kind: z.enum(['file', 'directory']),
  /** Bytes. */
  size: statedAmount().optional(),
})
export interface WorkspaceFile extends z.infer<typeof workspaceFileSchema> {}

const MAX_AGENT_MODELS = 500

const agentModelsQuerySchema = z.object({
  /** Default: all agents of other makers that the caller may use. */
  agent: statedName(100).optional(),
  /** Where a session would work, since agents read settings there. Default: as for `create`. */
  workspace: statedPath().optional(),
})
export interface AgentModelsQuery extends z.infer<typeof agentModelsQuerySchema> {}

const agentModelsSchema = z.object({
  agent: statedName(100),
  /** `id` as a session names it: `agent/model`. `name` for people. */
  models: z.array(z.object({ id: statedName(), name: statedName(200) })).max(MAX_AGENT_MODELS),
  /** The one that it takes where nobody chose. */
  current: statedName().optional(),
  /** Why its models are not known now: all of it for the host's own person, what its code says for peers. */
  problem: statedLine(1_000).optional(),
  /** Of the failure that `problem` tells. */
  code: z.enum(ERROR_CODES).optional().catch('internal'),
})
/** The models that an agent of another maker brings; none: it lets nobody choose. */
export interface AgentModels extends z.infer<typeof agentModelsSchema> {}

const fileContentSchema = z.object({ path: statedPath(), mediaType: statedName(), /** Base64. */ data: statedText() })
export interface FileContent extends z.infer<typeof fileContentSchema> {}

/**
 * Sessions of one host: here, over the mesh, or over HTTP.
 * The host orders everything; a resolved promise means that it is durable there.
 */
export interface Sessions {
  /** Throws not_found (agent), bad_request (workspace), model_unavailable. */
  create(init: SessionInit): Promise<SessionInfo>
  list(query?: SessionQuery): Promise<Page<SessionInfo>>
  /**
   * What may be chosen as the model of a session with an agent of another maker. Such an agent is started to be asked, and its answer kept for
   * a while; one that fails says so in `problem`. Empty for an agent that uses the models of nodes. Throws not_found (agent), bad_request (workspace).
   */
  agentModels(query?: AgentModelsQuery): Promise<AgentModels[]>
  get(id: SessionId): Promise<SessionInfo>
  /** Queues a prompt. `promptId` is the caller's: a repeat returns the first receipt and runs nothing twice. */
  prompt(id: SessionId, prompt: { promptId: PromptId; content: PromptContent }): Promise<PromptReceipt>
  /** The first answer wins; a later one throws conflict and names who answered. */
  answer(id: SessionId, answer: SessionAnswer): Promise<void>
  /** Ends the running turn, or withdraws the queued prompt `promptId`. Nothing to cancel is no error. */
  cancel(id: SessionId, promptId?: PromptId): Promise<void>
  /** Continues a turn that a crash interrupted. Throws conflict when there is none. */
  resume(id: SessionId): Promise<void>
  configure(id: SessionId, change: SessionChange): Promise<SessionInfo>
  /** Durable events in ascending order, ending before seq `before` (default: the head, included). */
  history(id: SessionId, range?: { before?: number; limit?: number }): Promise<Page<DurableEvent>>
  /**
   * Every durable event with `seq > after` (default 0), exactly once and in order, and live events as they happen, until `signal` aborts (a clean end).
   * A message in progress begins with its snapshot. A cursor above the head throws bad_request.
   */
  follow(id: SessionId, options?: { after?: number; signal?: AbortSignal }): AsyncIterable<SessionEvent>
  /** A new session of the caller with the events up to `at`. A turn that is cut by it ends there as `interrupted`. Throws bad_request for a seq that is not there. */
  fork(id: SessionId, options?: ForkOptions): Promise<SessionInfo>
  /** What lies in the workspace and may be read by the caller without asking. Throws bad_request for a path outside of it. */
  listFiles(id: SessionId, query?: FileQuery): Promise<{ items: WorkspaceFile[]; /** There are more. */ more: boolean }>
  /** One file of the workspace. Throws not_found, forbidden, too_large. */
  readFile(id: SessionId, path: string): Promise<FileContent>
  /** Who follows it now. */
  presence(id: SessionId): Promise<Author[]>
  /** Gives a node these rights in place of those it had. For the session's creator and its host. */
  share(id: SessionId, share: SessionShare): Promise<void>
  /** Takes a node's rights, and ends its follows. A node without any is no error. */
  unshare(id: SessionId, peerId: PeerId): Promise<void>
  close(id: SessionId): Promise<void>
  /** Removes the log. A running session must be cancelled first (conflict). */
  delete(id: SessionId): Promise<void>
}

const byId = z.object({ id: sessionIdSchema })
const none = z.object({})

export const sessionsContract = defineContract('sessions', 1, {
  create: unary(sessionInitSchema, sessionInfoSchema),
  list: unary(
    sessionQuerySchema,
    z.object({ items: z.array(sessionInfoSchema).max(LIMITS.pageSize), cursor: z.string().max(200).optional() }),
  ),
  agentModels: unary(agentModelsQuerySchema, z.object({ agents: z.array(agentModelsSchema).max(100) })),
  get: unary(byId, sessionInfoSchema),
  prompt: unary(byId.extend({ promptId: promptIdSchema, content: promptContentSchema }), promptReceiptSchema),
  answer: unary(byId.extend({ requestId: z.string().max(200), answer: z.union([permissionAnswerSchema, questionReplySchema]) }), none),
  cancel: unary(byId.extend({ promptId: promptIdSchema.optional() }), none),
  resume: unary(byId, none),
  configure: unary(byId.extend({ change: sessionChangeSchema }), sessionInfoSchema),
  history: unary(
    byId.extend({ before: statedCounter().min(1).optional(), limit: z.int().positive().max(LIMITS.pageSize).optional() }),
    z.object({ items: z.array(durableEventSchema).max(LIMITS.pageSize), cursor: z.string().max(200).optional() }),
  ),
  follow: stream(byId.extend({ after: statedCounter().optional() }), sessionEventSchema),
  fork: unary(byId.extend({ options: forkOptionsSchema }), sessionInfoSchema),
  listFiles: unary(
    byId.extend({ query: fileQuerySchema }),
    z.object({ items: z.array(workspaceFileSchema).max(LIMITS.pageSize), more: z.boolean() }),
  ),
  readFile: unary(byId.extend({ path: statedPath().min(1) }), fileContentSchema),
  presence: unary(byId, z.object({ present: z.array(authorSchema).max(LIMITS.listItems) })),
  share: unary(byId.extend({ share: sessionShareSchema }), none),
  unshare: unary(byId.extend({ peerId: peerIdSchema }), none),
  close: unary(byId, none),
  delete: unary(byId, none),
})
