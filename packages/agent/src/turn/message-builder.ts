import type { LanguageModelV4Usage } from '@ai-sdk/provider'
import { AppError, exceedsDepth, LIMITS, newId, toBase64 } from '@qmtcode/protocol'
import type { ContentPart, Json, ModelPart } from '@qmtcode/protocol'

/** A model may be another machine's: what one answer can grow to is bounded here. */
const MAX_MESSAGE_CHARS = 1_000_000
const MAX_PARTS = 2_000
const MAX_CALLS = 128
const MAX_FILE_CHARS = 400_000
const MAX_UNPARSED_CHARS = 2_000

export interface ModelCall {
  id: string
  name: string
  input: Json
  /** Why the input is none: it is then `{ unparsed }`. */
  problem?: string
}
type Finish = Extract<ModelPart, { type: 'finish' }>
type Block = Extract<ContentPart, { type: 'text' | 'reasoning' }>
type Metadata = ContentPart extends infer Part ? (Part extends { providerMetadata?: infer M } ? M : never) : never

export interface Message {
  content: ContentPart[]
  text: string
  calls: ModelCall[]
  finish?: { reason: Finish['finishReason']; usage: LanguageModelV4Usage }
}

export interface MessageBuilder {
  /** Returns the text to show. Throws too_large. */
  add(part: ModelPart): { kind: 'text' | 'reasoning'; text: string } | undefined
  build(): Message
}

/** Puts the parts of a stream together, in order. Call ids become unique over `usedIds`: some servers count from zero each time. */
export function createMessageBuilder(usedIds: Set<string>): MessageBuilder {
  const content: ContentPart[] = []
  const open = new Map<string, Block>()
  const calls: ModelCall[] = []
  let finish: Message['finish']
  let chars = 0

  const grow = (by: number): void => {
    chars += by
    if (chars > MAX_MESSAGE_CHARS) throw new AppError('too_large', `the model's answer is longer than ${MAX_MESSAGE_CHARS} characters`)
  }
  const push = <Part extends ContentPart>(part: Part): Part => {
    if (content.length >= MAX_PARTS) throw new AppError('too_large', `the model's answer has more than ${MAX_PARTS} parts`)
    content.push(part)
    return part
  }
  const block = (kind: 'text' | 'reasoning', id: string) => {
    const key = `${kind}:${id}`
    const known = open.get(key)
    if (known) return known
    const made = push<Block>({ type: kind, text: '' })
    open.set(key, made)
    return made
  }
  const addCall = (part: Extract<ModelPart, { type: 'tool-call' }>): void => {
    if (part.providerExecuted === true) return
    if (calls.length >= MAX_CALLS) throw new AppError('too_large', `the model makes more than ${MAX_CALLS} tool calls at once`)
    grow(part.input.length)
    const call: ModelCall = { id: uniqueId(part.toolCallId, usedIds), name: nameOf(part.toolName), ...parseInput(part.input) }
    calls.push(call)
    const { id: toolCallId, name: toolName, input } = call
    push({ type: 'tool-call', toolCallId, toolName, input, providerMetadata: plain(part.providerMetadata) })
  }

  return {
    add(part) {
      switch (part.type) {
        case 'text-start':
        case 'reasoning-start':
        case 'text-delta':
        case 'reasoning-delta':
        case 'text-end':
        case 'reasoning-end': {
          const kind = part.type.startsWith('text') ? 'text' : 'reasoning'
          const target = block(kind, part.id)
          target.providerMetadata = plain(part.providerMetadata) ?? target.providerMetadata
          if (part.type.endsWith('-end')) open.delete(`${kind}:${part.id}`)
          if (!('delta' in part) || part.delta === '') return undefined
          grow(part.delta.length)
          target.text += part.delta
          return { kind, text: part.delta }
        }
        case 'tool-call':
          addCall(part)
          return undefined
        case 'file': {
          const file = fileOf(part)
          grow(file.type === 'file' ? file.data.length : 0)
          push(file)
          return undefined
        }
        case 'finish':
          finish = { reason: part.finishReason, usage: part.usage }
          return undefined
        default:
          return undefined
      }
    },
    build: () => ({ content, calls, finish, text: content.map((part) => (part.type === 'text' ? part.text : '')).join('') }),
  }
}

/** Ids and names go back to whichever provider comes next: they keep to what the strictest takes. */
const PORTABLE = /^[\w-]{1,64}$/

const nameOf = (name: string): string => (PORTABLE.test(name) ? name : name.replace(/[^\w-]/g, '_').slice(0, 64) || 'unnamed')

function uniqueId(wanted: string, used: Set<string>): string {
  const id = !PORTABLE.test(wanted) || used.has(wanted) ? newId('call') : wanted
  used.add(id)
  return id
}

/** Providers take only objects as inputs, also when the call is sent back to them with its error. */
function parseInput(text: string): { input: Json; problem?: string } {
  let value: unknown
  try {
    value = JSON.parse(text.trim() === '' ? '{}' : text)
  } catch (error) {
    return unparsed(text, `not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return unparsed(text, 'not a JSON object')
  if (exceedsDepth(value, LIMITS.jsonDepth)) return unparsed(text, `nested deeper than ${LIMITS.jsonDepth} levels`)
  return { input: value as Json }
}

const unparsed = (text: string, problem: string): { input: Json; problem: string } => ({
  input: { unparsed: text.slice(0, MAX_UNPARSED_CHARS) },
  problem,
})

function fileOf(part: Extract<ModelPart, { type: 'file' }>): ContentPart {
  const source = part.data
  if (source.type !== 'data') return { type: 'text', text: `[a ${part.mediaType} file, given by address: not taken]` }
  const data = typeof source.data === 'string' ? source.data : toBase64(source.data)
  if (data.length > MAX_FILE_CHARS)
    return { type: 'text', text: `[a ${part.mediaType} file of ${data.length} base64 characters: too large to keep]` }
  return { type: 'file', mediaType: part.mediaType, data }
}

/** As the log can hold it: no undefined, no class. */
function plain(metadata: unknown): Metadata | undefined {
  return metadata === undefined ? undefined : (JSON.parse(JSON.stringify(metadata)) as Metadata)
}
