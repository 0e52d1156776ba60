import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { chatMessages } from './messages.ts'

/** The body of `POST /chat/completions` for a streamed answer. Fields without a value are left out. */
export function chatBody(model: string, options: LanguageModelV4CallOptions): Record<string, unknown> {
  const own = options.providerOptions?.['openaiCompatible']
  const body: Record<string, unknown> = {
    model,
    messages: chatMessages(options.prompt),
    max_tokens: options.maxOutputTokens,
    temperature: options.temperature,
    top_p: options.topP,
    frequency_penalty: options.frequencyPenalty,
    presence_penalty: options.presencePenalty,
    stop: options.stopSequences,
    seed: options.seed,
    response_format: responseFormat(options.responseFormat),
    reasoning_effort: own?.['reasoningEffort'] ?? effortOf(options.reasoning),
    verbosity: own?.['textVerbosity'],
    ...toolsOf(options),
    stream: true,
    stream_options: { include_usage: true },
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

const effortOf = (reasoning: LanguageModelV4CallOptions['reasoning']): string | undefined =>
  reasoning === undefined || reasoning === 'provider-default' ? undefined : reasoning

function responseFormat(format: LanguageModelV4CallOptions['responseFormat']): unknown {
  if (format?.type !== 'json') return undefined
  if (format.schema === undefined) return { type: 'json_object' }
  const { schema, name = 'response', description } = format
  return { type: 'json_schema', json_schema: { schema, strict: true, name, description } }
}

function toolsOf({ tools, toolChoice }: LanguageModelV4CallOptions): Record<string, unknown> {
  const offered = (tools ?? []).filter((tool) => tool.type === 'function')
  if (offered.length === 0) return {}
  const listed = offered.map(({ name, description, inputSchema, strict }) => ({
    type: 'function',
    function: { name, description, parameters: inputSchema, strict },
  }))
  return {
    tools: listed,
    tool_choice: toolChoice?.type === 'tool' ? { type: 'function', function: { name: toolChoice.toolName } } : toolChoice?.type,
  }
}
