import { createHash } from 'node:crypto'
import type { LanguageModelV4Message, LanguageModelV4ToolResultPart } from '@ai-sdk/provider'
import { soundText, soundValue } from './sound-text.ts'

type Message = LanguageModelV4Message
type Assistant = Extract<Message, { role: 'assistant' }>
type Call = Extract<Assistant['content'][number], { type: 'tool-call' }>

const NO_RESULT = 'No result: the turn ended before this call did. It may have run in part, or not at all; look before you repeat it.'
const NO_OUTPUT = '(no output)'

/** How a server wants the ids of calls. */
export type CallIdForm = 'any' | 'nine'

/**
 * Each call of an assistant's message with its one result right behind it, in the order of the calls. A result without a call goes, a call without
 * a result gets one that says so. Ids are the same on both sides, and of a form that the server takes.
 */
export function pairCalls(messages: readonly Message[], form: CallIdForm): Message[] {
  const paired: Message[] = []
  const ids = createCallIds(form)
  for (const [index, message] of messages.entries()) {
    if (message.role === 'tool') continue
    if (message.role !== 'assistant') {
      paired.push(message)
      continue
    }
    const calls = message.content.filter((part) => part.type === 'tool-call')
    const results = resultsBehind(messages, index)
    const named = new Map(calls.map((call) => [call, ids.next(call.toolCallId)]))
    paired.push({
      ...message,
      content: message.content.map((part) => (part.type === 'tool-call' ? soundCall(part, named.get(part) ?? '') : part)),
    })
    if (calls.length === 0) continue
    paired.push({ role: 'tool', content: calls.map((call) => resultOf(call, results.get(call.toolCallId), named.get(call) ?? '')) })
  }
  return paired
}

/** Of the tool messages that follow an assistant's before the next of anybody else. The first of each call counts. */
function resultsBehind(messages: readonly Message[], index: number): Map<string, LanguageModelV4ToolResultPart> {
  const results = new Map<string, LanguageModelV4ToolResultPart>()
  for (const message of messages.slice(index + 1)) {
    if (message.role !== 'tool') return results
    for (const part of message.content) {
      if (part.type === 'tool-result' && !results.has(part.toolCallId)) results.set(part.toolCallId, part)
    }
  }
  return results
}

function soundCall(call: Call, id: string): Call {
  return { ...call, toolCallId: id, toolName: soundName(call.toolName), input: soundInput(call.input) }
}

/** Chat templates read arguments as an object. */
function soundInput(input: unknown): unknown {
  const value = typeof input === 'string' ? parsed(input) : input
  const sound = soundValue(value)
  return typeof sound === 'object' && sound !== null && !Array.isArray(sound) ? sound : { input: sound }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A name that the model made up may have characters that servers refuse. */
const soundName = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed'

type Output = LanguageModelV4ToolResultPart['output']

function resultOf(call: Call, result: LanguageModelV4ToolResultPart | undefined, id: string): LanguageModelV4ToolResultPart {
  const output: Output = result === undefined ? { type: 'error-text', value: NO_RESULT } : soundOutput(result.output)
  return { ...result, type: 'tool-result', toolCallId: id, toolName: soundName(call.toolName), output }
}

function soundOutput(output: Output): Output {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return { ...output, value: orNoOutput(soundText(output.value)) }
    case 'json':
    case 'error-json':
      return { ...output, value: soundValue(output.value) as typeof output.value }
    case 'execution-denied':
      return { ...output, reason: orNoOutput(soundText(output.reason ?? 'the call was not permitted')) }
    case 'content': {
      const value = output.value.map((part) => (part.type === 'text' ? { ...part, text: orNoOutput(soundText(part.text)) } : part))
      return value.length === 0 ? { type: 'text', value: NO_OUTPUT } : { ...output, value }
    }
  }
}

const orNoOutput = (text: string): string => (text.trim() === '' ? NO_OUTPUT : text)

const SOUND_ID = { any: /^[A-Za-z0-9_-]{1,40}$/, nine: /^[A-Za-z0-9]{9}$/ } // OpenAI takes 40 characters, Anthropic these; Mistral exactly nine

/** An id of another server's form is replaced by one that is derived from it, so that the same conversation gives the same request. */
function createCallIds(form: CallIdForm): { next(id: string): string } {
  const used = new Set<string>()
  return {
    next(id) {
      let sound = SOUND_ID[form].test(id) ? id : shortHash(id)
      for (let repeat = 1; used.has(sound); repeat += 1) sound = shortHash(`${id} ${repeat}`)
      used.add(sound)
      return sound
    },
  }
}

const shortHash = (text: string): string => createHash('sha256').update(text.toWellFormed()).digest('hex').slice(0, 9)
