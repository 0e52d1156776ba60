import { Buffer } from 'node:buffer'
import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4ToolResultOutput,
} from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'

/** A message as `POST /chat/completions` takes it. */
export type ChatMessage = Readonly<Record<string, unknown>> & { role: string }

/** The AI SDK's prompt in the form of chat completions. Throws unsupported for a part that this form cannot carry. */
export function chatMessages(prompt: LanguageModelV4Prompt): ChatMessage[] {
  return prompt.flatMap(messagesOf)
}

function messagesOf(message: LanguageModelV4Message): ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }]
    case 'user':
      return [{ role: 'user', content: userContent(message.content) }]
    case 'assistant':
      return [assistantMessage(message)]
    case 'tool':
      return message.content
        .filter((part) => part.type === 'tool-result')
        .map((part) => ({ role: 'tool', tool_call_id: part.toolCallId, content: resultText(part.output) }))
  }
}

type UserPart = Extract<LanguageModelV4Message, { role: 'user' }>['content'][number]

/** Text alone goes as a string: some servers take no list. */
function userContent(parts: readonly UserPart[]): unknown {
  const content = parts.map((part) => (part.type === 'text' ? { type: 'text', text: part.text } : fileContent(part)))
  const texts = content.filter((part): part is { type: 'text'; text: string } => part['type'] === 'text')
  return texts.length === content.length ? texts.map(({ text }) => text).join('\n\n') : content
}

function fileContent({ data, mediaType, filename }: LanguageModelV4FilePart): Record<string, unknown> {
  if (data.type === 'text') return { type: 'text', text: data.text }
  if (data.type !== 'data')
    throw new AppError('unsupported', `a file of type ${mediaType} must be sent whole to this server, not as a ${data.type}`)
  const base64 = typeof data.data === 'string' ? data.data : Buffer.from(data.data).toString('base64')
  const url = `data:${mediaType === 'image/*' ? 'image/png' : mediaType};base64,${base64}`
  if (mediaType.startsWith('image/')) return { type: 'image_url', image_url: { url } }
  if (mediaType.startsWith('text/')) return { type: 'text', text: Buffer.from(base64, 'base64').toString('utf8') }
  const format = AUDIO_FORMATS[mediaType]
  if (format !== undefined) return { type: 'input_audio', input_audio: { data: base64, format } }
  return { type: 'file', file: { filename: filename ?? 'document', file_data: url } }
}

const AUDIO_FORMATS: Readonly<Record<string, string>> = {
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/mpeg': 'mp3',
  'audio/mp3': 'mp3',
}

function assistantMessage({ content }: Extract<LanguageModelV4Message, { role: 'assistant' }>): ChatMessage {
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  const reasoning = content.map((part) => (part.type === 'reasoning' ? part.text : '')).join('')
  const calls = content
    .filter((part) => part.type === 'tool-call')
    .map(({ toolCallId, toolName, input, providerOptions }) => {
      const signature = providerOptions?.['google']?.['thoughtSignature']
      const call = { id: toolCallId, type: 'function', function: { name: toolName, arguments: argumentsText(input) } }
      return typeof signature === 'string' ? { ...call, extra_content: { google: { thought_signature: signature } } } : call
    })
  const message: Record<string, unknown> & { role: string } = { role: 'assistant', content: calls.length > 0 && text === '' ? null : text }
  if (reasoning !== '') message['reasoning_content'] = reasoning
  if (calls.length > 0) message['tool_calls'] = calls
  return message
}

/** Servers parse the arguments of earlier calls again: what is not JSON goes as a JSON string. */
function argumentsText(input: unknown): string {
  if (typeof input !== 'string') return JSON.stringify(input) ?? '{}'
  try {
    JSON.parse(input)
    return input
  } catch {
    return JSON.stringify(input)
  }
}

function resultText(output: LanguageModelV4ToolResultOutput): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'execution-denied':
      return output.reason ?? 'the call was not permitted'
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value)
    case 'content':
      return output.value.map((part) => (part.type === 'text' ? part.text : `[${part.type}]`)).join('\n')
  }
}
