import { z } from 'zod'
import { wireErrorSchema } from './error-schemas.ts'
import { messageIdSchema, peerIdSchema, promptIdSchema, sessionIdSchema } from './ids.ts'
import { jsonSchema } from './json.ts'
import { LIMITS } from './limits.ts'
import { rightSchema } from './rights.ts'
import {
  statedAmount,
  statedCount,
  statedCounter,
  statedId,
  statedInstant,
  statedLine,
  statedMs,
  statedName,
  statedPath,
  statedReason,
  statedText,
} from './stated.ts'
import { isBase64 } from './wire-value.ts'

/** Who did something. The peer id is the connection's; the user is as claimed. */
export const authorSchema = z.object({
  peerId: peerIdSchema.optional(),
  /** Node name, as this host knows it. */
  node: statedName(),
  user: statedName(100).optional(),
})
export interface Author extends z.infer<typeof authorSchema> {}

const providerMetadata = z.record(z.string(), z.record(z.string(), jsonSchema)).optional()

/** What a person or a model says. File data is base64. */
export const contentPartSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: statedText(), providerMetadata }),
  z.object({ type: z.literal('reasoning'), text: statedText(), providerMetadata }),
  z.object({ type: z.literal('file'), mediaType: statedName(200), data: statedText(), filename: statedLine(255).optional() }),
  z.object({
    type: z.literal('tool-call'),
    toolCallId: statedId(),
    toolName: statedName(200),
    input: jsonSchema,
    providerMetadata,
  }),
])
export type ContentPart = z.infer<typeof contentPartSchema>

const [textPart, , filePart] = contentPartSchema.options
/** Judged before it is in the log: a part that no model can be given would end every later turn of its session. */
const promptFilePart = filePart.extend({ data: filePart.shape.data.refine(isBase64, 'the data of a file is not base64') })

export const promptContentSchema = z
  .array(z.discriminatedUnion('type', [textPart, promptFilePart]))
  .min(1)
  .max(1_000)
export type PromptContent = z.infer<typeof promptContentSchema>

/** Tokens that a conversation takes of its model's context, and that this holds. */
const contextSchema = z.object({ used: statedAmount(), size: statedAmount().positive() })

export const usageSchema = z.object({
  inputTokens: statedAmount(),
  outputTokens: statedAmount(),
  cachedInputTokens: statedAmount().optional(),
  reasoningTokens: statedAmount().optional(),
  /** After the last model call, where the size is known. */
  context: contextSchema.optional(),
})
export interface Usage extends z.infer<typeof usageSchema> {}

/**
 * `empty`: the model ended without a word and without a call. `unparsed_call`: it wrote a tool call as text, which its server did not parse.
 * `looping`: it made the same calls with the same results, over and over.
 */
const stopReasonSchema = z.enum([
  'completed',
  'cancelled',
  'failed',
  'interrupted',
  'max_steps',
  'length',
  'refused',
  'empty',
  'unparsed_call',
  'looping',
])
export type StopReason = z.infer<typeof stopReasonSchema>

/** What was tried before a route was chosen, and why it was left. */
const routeAttemptSchema = z.object({ node: statedName(), peerId: peerIdSchema.optional(), error: statedReason() })

/** What answers a permission: once, for the rest of the session, or not. */
export const permissionAnswerSchema = z.enum(['allow', 'allow_session', 'deny'])
export type PermissionAnswer = z.infer<typeof permissionAnswerSchema>

/** A thing to choose, as the model words it. */
const questionChoiceSchema = z.object({ label: z.string().min(1).max(200), description: statedText(1_000).optional() })
export interface QuestionChoice extends z.infer<typeof questionChoiceSchema> {}

/** What answers a question of the model: labels among its choices, words of one's own, or both. */
export const questionReplySchema = z
  .object({ choices: z.array(z.string().max(200)).max(20), text: z.string().max(8_000).optional() })
  .refine(({ choices, text }) => choices.length > 0 || (text ?? '').trim() !== '', 'a choice, or a text')
export interface QuestionReply extends z.infer<typeof questionReplySchema> {}

const envelope = {
  sessionId: sessionIdSchema,
  /** Milliseconds since 1970, by the host's clock. */
  at: statedInstant(),
}
const durable = { ...envelope, /** 1, 2, 3 … within the session. */ seq: statedCounter().min(1) }
const inTurn = { turnId: z.string().max(80) }

/** Durable events: they have a seq and rest in the log before anybody is told. */
const durableEventSchemas = [
  z.object({
    ...durable,
    type: z.literal('session.created'),
    agent: statedName(),
    model: statedName().optional(),
    workspace: statedPath(),
    title: statedLine(LIMITS.titleChars).optional(),
    /** The events up to this one's `seq` are that session's. */
    forkedFrom: z.object({ sessionId: sessionIdSchema, seq: statedCounter().min(1) }).optional(),
    author: authorSchema,
  }),
  z.object({
    ...durable,
    type: z.literal('session.configured'),
    title: statedLine(LIMITS.titleChars).optional(),
    model: statedName().optional(),
    mode: statedName(40).optional(),
    author: authorSchema,
  }),
  z.object({ ...durable, type: z.literal('session.closed'), author: authorSchema }),
  /** The node has exactly these rights from now on, and what they include. */
  z.object({
    ...durable,
    type: z.literal('session.shared'),
    peerId: peerIdSchema,
    node: statedName(),
    rights: z.array(rightSchema).min(1).max(4),
    author: authorSchema,
  }),
  z.object({ ...durable, type: z.literal('session.unshared'), peerId: peerIdSchema, node: statedName(), author: authorSchema }),
  z.object({
    ...durable,
    type: z.literal('prompt.accepted'),
    promptId: promptIdSchema,
    author: authorSchema,
    content: promptContentSchema,
    /** 0 runs now, n waits behind n others. */ position: statedCount(),
  }),
  z.object({ ...durable, type: z.literal('prompt.withdrawn'), promptId: promptIdSchema, author: authorSchema }),
  z.object({ ...durable, ...inTurn, type: z.literal('turn.started'), promptId: promptIdSchema }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('route.chosen'),
    agentId: statedName(),
    model: statedName(),
    node: statedName(),
    peerId: peerIdSchema.optional(),
    reason: statedReason(),
    tried: z.array(routeAttemptSchema).max(LIMITS.listItems),
    /** Of an agent of another maker: how it knows this session, to go on with it after a restart. */
    foreignSessionId: z.string().max(1_000).optional(),
  }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('message.completed'),
    messageId: messageIdSchema,
    role: z.literal('assistant'),
    /** The text parts, joined. */ text: statedText(),
    content: z.array(contentPartSchema).max(LIMITS.listItems),
    usage: usageSchema.optional(),
    /** Cut by a cancel or an error. */ partial: z.boolean().optional(),
  }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('tool.started'),
    callId: statedId(),
    name: statedName(),
    input: jsonSchema,
    /** Node that runs it. */ node: statedName(),
  }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('tool.ended'),
    callId: statedId(),
    name: statedName(),
    input: jsonSchema,
    output: statedText(),
    isError: z.boolean(),
    durationMs: statedMs(),
  }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('permission.requested'),
    id: statedId(),
    callId: statedId(),
    tool: statedName(),
    input: jsonSchema,
    /** One line for the person who decides. */ summary: statedText(),
    /** The words of `--allow` that would have made the question needless: `edit`, `outside`. */
    needs: z.array(z.string().max(60)).max(20).optional(),
    /** Only the host's own person may allow it: a peer caused it, and the host's rules keep it back. */
    reserved: z.boolean().optional(),
    author: authorSchema,
  }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('permission.answered'),
    id: statedId(),
    answer: permissionAnswerSchema,
    by: authorSchema.optional(),
    reason: statedReason().optional(),
  }),
  /** The model asks whoever may answer, through the tool `question`. */
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('question.asked'),
    id: statedId(),
    callId: statedId(),
    text: statedText(4_000),
    /** Empty: only a text answers. */
    choices: z.array(questionChoiceSchema).max(20),
    /** More than one choice may be given. */
    multiple: z.boolean(),
    /** Words of one's own answer too. */
    freeText: z.boolean(),
    author: authorSchema,
  }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('question.answered'),
    id: statedId(),
    /** Absent: nobody answered, for `reason`. */
    reply: questionReplySchema.optional(),
    by: authorSchema.optional(),
    reason: statedReason().optional(),
  }),
  z.object({
    ...durable,
    ...inTurn,
    type: z.literal('turn.ended'),
    promptId: promptIdSchema,
    stopReason: stopReasonSchema,
    usage: usageSchema,
    error: wireErrorSchema.optional(),
  }),
] as const

/** Live events: at most once, repaired by a snapshot. */
const liveEventSchemas = [
  z.object({
    ...envelope,
    ...inTurn,
    type: z.literal('message.delta'),
    messageId: messageIdSchema,
    kind: z.enum(['text', 'reasoning']),
    text: statedText(),
  }),
  /** All of an unfinished message so far: the first live event of a follower that arrives in the middle, or that was too slow for the deltas. */
  z.object({
    ...envelope,
    ...inTurn,
    type: z.literal('message.snapshot'),
    messageId: messageIdSchema,
    textSoFar: statedText(),
    reasoningSoFar: statedText(),
  }),
  z.object({ ...envelope, ...inTurn, type: z.literal('tool.progress'), callId: statedId(), text: statedText() }),
  /** A model call failed before anything of its answer came, with what passes by itself: it is made again after `delayMs`. */
  z.object({
    ...envelope,
    ...inTurn,
    type: z.literal('model.retry'),
    /** Which try comes, the first retry being 1, and how many there are at the most. */ attempt: statedCount().min(1),
    of: statedCount().min(1),
    delayMs: statedMs(),
    code: statedName(60),
    message: statedReason(),
  }),
  /** Who follows the session from now on: a person on two terminals of one node is there once. */
  z.object({ ...envelope, type: z.literal('presence.changed'), present: z.array(authorSchema).max(LIMITS.listItems) }),
  z.object({ ...envelope, type: z.literal('link.lost'), peerId: peerIdSchema, node: statedName(), graceMs: statedMs() }),
  z.object({ ...envelope, type: z.literal('link.restored'), peerId: peerIdSchema, node: statedName() }),
] as const

export const durableEventSchema = z.discriminatedUnion('type', durableEventSchemas)
export const liveEventSchema = z.discriminatedUnion('type', liveEventSchemas)
/** One table of types: a token's delta is not first tried as everything that is durable. */
export const sessionEventSchema = z.discriminatedUnion('type', [...durableEventSchemas, ...liveEventSchemas])

export type DurableEvent = z.infer<typeof durableEventSchema>
export type LiveEvent = z.infer<typeof liveEventSchema>
export type SessionEvent = DurableEvent | LiveEvent

type WithoutEnvelope<E> = E extends unknown ? Omit<E, 'seq' | 'at' | 'sessionId'> : never
/** An event as its maker writes it; the log adds seq, time and session. */
export type DurableEventInit = WithoutEnvelope<DurableEvent>
export type LiveEventInit = WithoutEnvelope<LiveEvent>

export const isDurable = (event: SessionEvent): event is DurableEvent => 'seq' in event
