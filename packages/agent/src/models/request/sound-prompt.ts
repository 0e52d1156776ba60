import type { LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider'
import { pairCalls } from './sound-calls.ts'
import type { CallIdForm } from './sound-calls.ts'
import { isBlank, soundText } from './sound-text.ts'

type Message = LanguageModelV4Message
type Assistant = Extract<Message, { role: 'assistant' }>
type User = Extract<Message, { role: 'user' }>

export interface PromptTaker {
  /** Whether a thought of the conversation goes back to this model: `metadata` is what its provider gave it with. */
  takesThought(metadata: unknown): boolean
  callIds: CallIdForm
}

const CONTINUE = 'Go on.'
const BEFORE = 'The conversation before this was left out.'
const ENDED = 'The turn ended here.'
const EMPTY = '(an empty message)'

/**
 * The conversation in the form that the strictest server takes, whatever log, fork, peer or version it came from: sound text, no empty message, system
 * first, user and assistant in turn (also behind a tool's result, as chat templates of Mistral, Gemma and Llama ask), each call with its result right
 * behind it, and the last word not the model's. Not a word of a person is lost.
 */
export function soundPrompt(prompt: LanguageModelV4Prompt, taker: PromptTaker): LanguageModelV4Prompt {
  const cleaned = prompt.flatMap((message) => cleanMessage(message, taker))
  const system = cleaned.filter((message) => message.role === 'system')
  const spoken = pairCalls(
    cleaned.filter((message) => message.role !== 'system'),
    taker.callIds,
  )
  return [...oneSystem(system), ...inTurn(spoken)]
}

function cleanMessage(message: Message, taker: PromptTaker): Message[] {
  switch (message.role) {
    case 'system':
      return isBlank(soundText(message.content)) ? [] : [{ ...message, content: soundText(message.content) }]
    case 'user': {
      const content = message.content.map(cleanPart).filter(isSomething)
      return [{ ...message, content: content.length > 0 ? content : [{ type: 'text', text: EMPTY }] }]
    }
    case 'assistant': {
      const parts = message.content.filter((part) => part.type !== 'reasoning' || taker.takesThought(part.providerOptions))
      const content = parts
        .map(withoutFile)
        .map(cleanPart)
        .filter((part) => isSomething(part) || part.type === 'reasoning')
      // A thought alone is no message to any server.
      return content.some((part) => part.type !== 'reasoning') ? [{ ...message, content }] : []
    }
    case 'tool':
      return [message]
  }
}

/** Few servers take back a file that a model made. */
const withoutFile = (part: Assistant['content'][number]): Assistant['content'][number] =>
  part.type === 'file' || part.type === 'reasoning-file'
    ? { type: 'text', text: `[a file of type ${part.mediaType} that the model made]` }
    : part

function cleanPart<Part extends User['content'][number] | Assistant['content'][number]>(part: Part): Part {
  if (part.type === 'text' || part.type === 'reasoning') return { ...part, text: soundText(part.text) }
  if (part.type === 'file' && part.filename !== undefined) return { ...part, filename: soundText(part.filename) }
  return part
}

const isSomething = (part: { type: string; text?: string }): boolean => part.type !== 'text' || !isBlank(part.text ?? '')

function oneSystem(messages: readonly Message[]): Message[] {
  const [first] = messages
  if (first?.role !== 'system') return []
  return [{ ...first, content: messages.map((message) => (message.role === 'system' ? message.content : '')).join('\n\n') }]
}

function inTurn(messages: readonly Message[]): Message[] {
  const turns: Message[] = []
  for (const message of messages) {
    const last = turns.at(-1)
    if (last === undefined && message.role !== 'user') turns.push(userSays(BEFORE))
    if (last?.role === 'tool' && message.role === 'user') turns.push({ role: 'assistant', content: [{ type: 'text', text: ENDED }] })
    const merged = last && merge(last, message)
    if (merged) turns[turns.length - 1] = merged
    else turns.push(message)
  }
  const end = turns.at(-1)
  if (end === undefined || end.role === 'assistant') turns.push(userSays(CONTINUE))
  return turns
}

/** Two of one side are one; an assistant's message that called tools has its results behind it, and never gets here. */
function merge(last: Message, next: Message): Message | undefined {
  if (last.role === 'user' && next.role === 'user') return { ...next, content: [...last.content, ...next.content] }
  if (last.role === 'assistant' && next.role === 'assistant') return { ...next, content: joined(last, next) }
  return undefined
}

/** Texts that met need a line between them. */
function joined(last: Assistant, next: Assistant): Assistant['content'] {
  const [first] = next.content
  const before = last.content.at(-1)
  if (before?.type !== 'text' || first?.type !== 'text') return [...last.content, ...next.content]
  return [...last.content.slice(0, -1), { ...first, text: `${before.text}\n\n${first.text}` }, ...next.content.slice(1)]
}

const userSays = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] })
