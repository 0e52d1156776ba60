import { z } from 'zod'
import type { AgentSettings } from './settings.ts'

/** What of an agent's updates is used. Whatever else is in them is passed over, and so is an update of another shape. */
const blockSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('image'), mimeType: z.string(), data: z.string() }),
  z.object({ type: z.literal('audio'), mimeType: z.string(), data: z.string() }),
  z.object({ type: z.literal('resource_link'), uri: z.string(), name: z.string().optional() }),
  z.object({ type: z.literal('resource'), resource: z.object({ uri: z.string(), text: z.string().optional() }) }),
])
export type Block = z.infer<typeof blockSchema>

const toolContentSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('content'), content: blockSchema }),
  z.object({ type: z.literal('diff'), path: z.string(), oldText: z.string().nullish(), newText: z.string() }),
  z.object({ type: z.literal('terminal') }),
])
export type ToolContent = z.infer<typeof toolContentSchema>

const callSchema = z.object({
  toolCallId: z.string().min(1),
  title: z.string().nullish(),
  name: z.string().nullish(),
  kind: z.string().nullish(),
  status: z.string().nullish(),
  content: z.array(z.unknown()).nullish(),
  locations: z.array(z.object({ path: z.string() })).nullish(),
  rawInput: z.unknown().optional(),
  rawOutput: z.unknown().optional(),
})

/** A call of the agent's own tools, as far as it told of it. */
export interface CallUpdate extends Omit<z.infer<typeof callSchema>, 'content'> {
  content?: ToolContent[]
}

const updateSchema = z.discriminatedUnion('sessionUpdate', [
  z.object({ sessionUpdate: z.literal('agent_message_chunk'), content: blockSchema, messageId: z.string().nullish() }),
  z.object({ sessionUpdate: z.literal('agent_thought_chunk'), content: blockSchema, messageId: z.string().nullish() }),
  callSchema.extend({ sessionUpdate: z.literal('tool_call') }),
  callSchema.extend({ sessionUpdate: z.literal('tool_call_update') }),
  z.object({ sessionUpdate: z.literal('usage_update'), used: z.number().nonnegative(), size: z.number().positive() }),
  z.object({ sessionUpdate: z.literal('plan'), entries: z.array(z.object({ content: z.string(), status: z.string().optional() })) }),
])

export type AgentUpdate =
  | { type: 'message'; kind: 'text' | 'reasoning'; block: Block; messageId?: string }
  | { type: 'call'; call: CallUpdate }
  | { type: 'context'; used: number; size: number }
  | { type: 'plan'; entries: { content: string; status?: string }[] }

/** Nothing for what a turn has no use for. */
export function readUpdate(update: unknown): AgentUpdate | undefined {
  const parsed = updateSchema.safeParse(update)
  if (!parsed.success) return undefined
  const { data } = parsed
  switch (data.sessionUpdate) {
    case 'agent_message_chunk':
    case 'agent_thought_chunk':
      return {
        type: 'message',
        kind: data.sessionUpdate === 'agent_message_chunk' ? 'text' : 'reasoning',
        block: data.content,
        messageId: data.messageId ?? undefined,
      }
    case 'tool_call':
    case 'tool_call_update': {
      const { sessionUpdate: _, ...call } = data
      return { type: 'call', call: readCall(call) }
    }
    case 'usage_update':
      return { type: 'context', used: data.used, size: data.size }
    case 'plan':
      return { type: 'plan', entries: data.entries }
  }
}

/** Of a permission request, or of an update; content of an unknown kind is left out. */
export function readCall(call: z.infer<typeof callSchema>): CallUpdate {
  const { content, ...rest } = call
  if (!content) return rest
  const known = content.map((item) => toolContentSchema.safeParse(item)).flatMap(({ data }) => (data ? [data] : []))
  return { ...rest, content: known }
}

const settingsSchema = z.discriminatedUnion('sessionUpdate', [
  z.object({ sessionUpdate: z.literal('current_mode_update'), currentModeId: z.string() }),
  z.object({
    sessionUpdate: z.literal('config_option_update'),
    configOptions: z.array(z.looseObject({ id: z.string(), type: z.string() })),
  }),
])

/** What an update changes in the settings. */
export function settingsUpdate(update: unknown, { modes }: AgentSettings): AgentSettings {
  const parsed = settingsSchema.safeParse(update)
  if (!parsed.success) return {}
  if (parsed.data.sessionUpdate === 'current_mode_update') {
    return modes ? { modes: { ...modes, currentModeId: parsed.data.currentModeId } } : {}
  }
  const known = z.array(selectSchema).safeParse(parsed.data.configOptions.filter(({ type }) => type === 'select'))
  return known.success ? { configOptions: known.data as AgentSettings['configOptions'] } : {}
}

const choice = z.looseObject({ value: z.string(), name: z.string() })
const selectSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  type: z.literal('select'),
  currentValue: z.string(),
  options: z.union([z.array(choice), z.array(z.looseObject({ options: z.array(choice) }))]),
})

export const usageSchema = z.object({
  inputTokens: z.number().nonnegative(),
  outputTokens: z.number().nonnegative(),
  cachedReadTokens: z.number().nonnegative().nullish(),
  thoughtTokens: z.number().nonnegative().nullish(),
})
