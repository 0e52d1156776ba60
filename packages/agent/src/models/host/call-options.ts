import type { LanguageModelV4FunctionTool, LanguageModelV4Message } from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'
import type { ModelCallOptions } from '@qmtcode/protocol'
import { CALL_OPTIONS, PART_OPTIONS, listedOptions } from './provider-options.ts'

/**
 * A peer's call as this node is ready to make it: known fields only, listed provider options, the peer's own tools, inline files.
 * What a peer means but may not have is refused (bad_request); what it need not have is dropped.
 */
export function admittedOptions(options: ModelCallOptions): ModelCallOptions {
  const { responseFormat, toolChoice } = options
  const sampling = Object.fromEntries(PLAIN_OPTIONS.map((key) => [key, options[key]])) as Pick<ModelCallOptions, PlainOption>
  return {
    ...sampling,
    responseFormat: responseFormat && admittedFormat(responseFormat),
    toolChoice: toolChoice && admittedChoice(toolChoice),
    prompt: options.prompt.map(admittedMessage),
    tools: options.tools?.map(admittedTool),
    providerOptions: listedOptions(options.providerOptions, CALL_OPTIONS),
  }
}

/** Fields that only shape the answer. */
const PLAIN_OPTIONS = [
  ...(['maxOutputTokens', 'temperature', 'topP', 'topK', 'presencePenalty', 'frequencyPenalty'] as const),
  ...(['seed', 'stopSequences', 'reasoning'] as const),
]
type PlainOption = (typeof PLAIN_OPTIONS)[number]

type Format = NonNullable<ModelCallOptions['responseFormat']>

function admittedFormat(format: Format): Format {
  if (format.type !== 'json') return { type: 'text' }
  const { type, schema, name, description } = format
  return { type, schema, name, description }
}

type Choice = NonNullable<ModelCallOptions['toolChoice']>

function admittedChoice(choice: Choice): Choice {
  return choice.type === 'tool' ? { type: choice.type, toolName: choice.toolName } : { type: choice.type }
}

type Tool = NonNullable<ModelCallOptions['tools']>[number]

function admittedTool(tool: Tool): LanguageModelV4FunctionTool {
  if (tool.type !== 'function')
    throw new AppError('bad_request', `the tool ${quote(tool.name)} would be run by the provider: peers may only offer their own tools`)
  const { type, name, description, inputSchema, strict } = tool
  return { type, name, description, inputSchema, strict }
}

function admittedMessage(message: LanguageModelV4Message): LanguageModelV4Message {
  const providerOptions = listedOptions(message.providerOptions, PART_OPTIONS)
  if (typeof message.content === 'string') return { role: 'system', content: message.content, providerOptions }
  // What a peer sends has the shape of messages only so far as it was checked: parts are read as plain records.
  const content = (message.content as unknown as Part[]).map(admittedPart)
  return { role: message.role, content, providerOptions } as unknown as LanguageModelV4Message
}

type Part = Record<string, unknown> & { type: string }

function admittedPart(part: Part): Part {
  const providerOptions = listedOptions(part['providerOptions'], PART_OPTIONS)
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return { type: part.type, text: textOf(part), providerOptions }
    case 'file':
    case 'reasoning-file':
      return { ...fileOf(part), providerOptions }
    case 'tool-call': {
      if (part['providerExecuted']) throw new AppError('bad_request', 'a tool call that the provider ran cannot be repeated through a peer')
      const { type, toolCallId, toolName, input } = part
      return { type, toolCallId, toolName, input, providerOptions }
    }
    case 'tool-result': {
      const { type, toolCallId, toolName, output } = part
      return { type, toolCallId, toolName, output: admittedOutput(output), providerOptions }
    }
    default:
      throw new AppError('bad_request', `a peer's prompt may not contain a part of type ${quote(part.type)}`)
  }
}

const MAX_MEDIA_TYPE_CHARS = 200
const NOT_BASE64 = /[^A-Za-z0-9+/=]/

function fileOf(part: Part): Part {
  const { type, mediaType, filename, data } = part
  const source = (typeof data === 'object' && data !== null ? data : {}) as { type?: unknown; data?: unknown; text?: unknown }
  const isInline = source.type === 'data' && (source.data instanceof Uint8Array || typeof source.data === 'string')
  const isText = source.type === 'text' && typeof source.text === 'string'
  if (typeof mediaType !== 'string' || mediaType.length > MAX_MEDIA_TYPE_CHARS)
    throw new AppError('bad_request', 'a file without a media type')
  // Some providers read text that begins like a file's id as the id of a file in the host's account.
  if (typeof source.data === 'string' && NOT_BASE64.test(source.data)) throw new AppError('bad_request', 'the data of a file is not base64')
  if (!isInline && !isText) throw new AppError('bad_request', 'a file of a peer must be sent whole: no URL and no reference')
  return { type, mediaType, filename, data: isInline ? { type: 'data', data: source.data } : { type: 'text', text: source.text } }
}

function admittedOutput(output: unknown): unknown {
  const { type, value, reason } = (typeof output === 'object' && output !== null ? output : {}) as {
    type?: string
    value?: unknown
    reason?: unknown
  }
  if (type !== 'content') return { type, value, reason }
  if (!Array.isArray(value)) throw new AppError('bad_request', 'a tool result of content needs a list')
  return {
    type,
    value: value.map((part: Part) => (part.type === 'text' ? { type: 'text', text: textOf(part) } : fileOf(part))),
  }
}

const quote = (text: unknown): string => JSON.stringify(String(text).slice(0, 60))

const textOf = (part: Part): string => (typeof part['text'] === 'string' ? part['text'] : '')
