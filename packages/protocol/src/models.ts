import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { z } from 'zod'
import { defineContract, stream, unary } from './contract.ts'
import { exceedsDepth } from './json.ts'
import { LIMITS } from './limits.ts'
import { modelIdSchema } from './model-ref.ts'
import { statedAmount, statedCount, statedCounter, statedName } from './stated.ts'

export const modelOfferSchema = z.object({
  /** `provider/model`. */
  id: modelIdSchema,
  provider: statedName(),
  /** `*` where the provider takes any model name and this node cannot list them. */
  model: statedName(),
  /** Requests the node runs at once. */
  slots: statedCount().min(1).default(8),
  inFlight: statedCount().default(0),
  /** How much its context holds, where its server tells. */
  contextTokens: statedCount().min(1).optional(),
  /** Whether its server answers. Absent: it does, or nobody can tell without calling. */
  state: z.enum(['up', 'down']).optional(),
})
export interface ModelOffer extends z.infer<typeof modelOfferSchema> {}

/** The AI SDK's call options that may travel: no signal, no headers, no raw chunks. */
export type ModelCallOptions = Omit<LanguageModelV4CallOptions, 'abortSignal' | 'headers' | 'includeRawChunks'>

/** The AI SDK's stream parts; `error` and `raw` never leave a Models port. */
export type ModelPart = Exclude<LanguageModelV4StreamPart, { type: 'error' } | { type: 'raw' }>

export interface ModelRequest {
  /** `provider/model`. */
  model: string
  options: ModelCallOptions
  /** The session this call belongs to: affinity and audit, never authority. */
  sessionId?: string
  /** Peer ids the call has passed, the first asker first. At most 4; a repeat is refused. */
  origin?: string[]
  /** The caller's own, new for each call: with it the host keeps the call for `resume` when the link breaks. */
  callId?: string
}

/** Which of the caller's calls, and how many of its parts have been read. Pings do not count: they are the link's. */
export interface ResumePoint {
  callId: string
  after: number
}

/**
 * Models that can be called. Local, over the mesh, and over HTTP alike.
 * `stream` yields parts and, last, exactly one `finish`; or it throws an AppError: provider_error, rate_limited (with retryAfterMs),
 * model_unavailable, timeout, cancelled, link_lost, busy. It never ends without one of the two.
 */
export interface Models {
  /** This node's own providers only, never another's. */
  offers(options?: { signal?: AbortSignal }): Promise<ModelOffer[]>
  stream(request: ModelRequest, options?: { signal?: AbortSignal }): AsyncIterable<ModelPart>
  /**
   * The rest of a stream whose link broke; a ping first, at once. Throws not_found for a call that the host does not have, or no longer.
   * Absent where no link can break.
   */
  resume?(point: ResumePoint, options?: { signal?: AbortSignal }): AsyncIterable<ModelPart>
  /** Ends a call whose link broke. One that is not there is ended already. */
  leave?(callId: string, options?: { signal?: AbortSignal }): Promise<void>
}

const MAX_TOOLS = 512
const setting = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).optional()

const callOptionsShape = z.looseObject({
  prompt: z
    .array(
      z.looseObject({
        role: z.enum(['system', 'user', 'assistant', 'tool']),
        content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]),
      }),
    )
    .max(20_000),
  tools: z
    .array(z.looseObject({ type: z.string(), name: z.string().max(128) }))
    .max(MAX_TOOLS)
    .optional(),
  maxOutputTokens: setting,
  temperature: setting,
  topP: setting,
  topK: setting,
  presencePenalty: setting,
  frequencyPenalty: setting,
  seed: setting,
  stopSequences: z.array(z.string()).max(64).optional(),
  reasoning: z.string().max(40).optional(),
})

const isCallOptions = (value: unknown): value is ModelCallOptions =>
  callOptionsShape.safeParse(value).success && !exceedsDepth(value, LIMITS.jsonDepth)

const callOptionsSchema = z.custom<ModelCallOptions>(
  isCallOptions,
  'not the options of a model call (prompt: a list of messages, at most 64 levels deep)',
)

/** As long as what `newId` makes, or longer: nobody hits another call by chance. */
const callIdSchema = z.string().regex(/^[\w.-]{16,80}$/, 'not a call id (letters, digits, _ . -, 16 to 80)')

export const modelRequestSchema = z.object({
  model: modelIdSchema,
  options: callOptionsSchema,
  sessionId: z.string().max(80).optional(),
  origin: z.array(z.string().max(80)).max(4).optional(),
  callId: callIdSchema.optional(),
})

/** Parts are checked for what our loop reads of them; what a newer provider interface adds passes through. */
const toolCallSchema = z.looseObject({
  type: z.literal('tool-call'),
  toolCallId: z.string().max(200),
  toolName: z.string().max(200),
  input: z.string(),
})
const count = statedAmount().optional()
const finishSchema = z.looseObject({
  type: z.literal('finish'),
  finishReason: z.looseObject({ unified: z.string().max(40), raw: z.string().max(200).optional() }),
  usage: z.looseObject({
    inputTokens: z.looseObject({ total: count, noCache: count, cacheRead: count, cacheWrite: count }),
    outputTokens: z.looseObject({ total: count, text: count, reasoning: count }),
  }),
})
const otherPartSchema = z.looseObject({ type: z.string().max(60) })

/** By hand: a token passes here on every hop, and a schema costs ten times as much. */
function isDelta(value: unknown): boolean {
  const { id, delta } = value as { id?: unknown; delta?: unknown }
  return typeof id === 'string' && typeof delta === 'string'
}

export const modelPartSchema: z.ZodType<ModelPart, ModelPart> = z.custom<ModelPart>((value) => {
  const type = (value as { type?: unknown } | null)?.type
  switch (type) {
    case 'text-delta':
    case 'reasoning-delta':
    case 'tool-input-delta':
      return isDelta(value)
    case 'tool-call':
      return toolCallSchema.safeParse(value).success
    case 'finish':
      return finishSchema.safeParse(value).success
    case 'error':
    case 'raw':
      return false
    default:
      return otherPartSchema.safeParse(value).success
  }
}, 'not a part of a model stream')

export const modelsContract = defineContract('models', 1, {
  offers: unary(z.object({}), z.array(modelOfferSchema).max(10_000)),
  stream: stream(modelRequestSchema, modelPartSchema),
  resume: stream(z.object({ callId: callIdSchema, after: statedCounter() }), modelPartSchema),
  leave: unary(z.object({ callId: callIdSchema }), z.object({})),
})
