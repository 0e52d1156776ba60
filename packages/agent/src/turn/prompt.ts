import type { LanguageModelV4Message, LanguageModelV4ToolResultPart } from '@ai-sdk/provider'
import { fromBase64, isBase64 } from '@qmtcode/protocol'
import type { ContentPart, DurableEvent, PromptContent, PromptId } from '@qmtcode/protocol'

type Of<Type extends DurableEvent['type']> = Extract<DurableEvent, { type: Type }>
type AssistantPart = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'][number]
type UserPart = Extract<LanguageModelV4Message, { role: 'user' }>['content'][number]

export const CONTINUE = 'The turn was interrupted here. Go on from where it stopped.'
const CUT = 'The answer above was cut by the length limit of the model or its server.'
export const CANCELLED = 'The turn above was cancelled by the user.'
const NO_RESULT = 'No result: the turn ended before this call did. It may have run in part, or not at all; look before you repeat it.'

/**
 * The conversation that a log tells, valid for every provider whatever cut it: each tool call has exactly one result,
 * no message is empty, and the last word is not the model's. A prompt stands where its turn began, not where it was queued.
 */
export function foldPrompt(events: readonly DurableEvent[]): LanguageModelV4Message[] {
  const fold = createFold()
  for (const event of events) {
    switch (event.type) {
      case 'prompt.accepted':
        fold.accept(event)
        break
      case 'turn.started':
        fold.startTurn(event.promptId)
        break
      case 'message.completed':
        fold.assistant(event)
        break
      case 'tool.ended':
        fold.result(event)
        break
      case 'turn.ended':
        if (event.stopReason === 'cancelled') fold.note(CANCELLED)
        if (event.stopReason === 'length') fold.note(CUT)
        break
      case 'session.created':
      case 'session.configured':
      case 'session.closed':
      case 'session.shared':
      case 'session.unshared':
      case 'prompt.withdrawn':
      case 'route.chosen':
      case 'tool.started':
      case 'permission.requested':
      case 'question.asked':
      case 'question.answered':
      case 'permission.answered':
        break
    }
  }
  return fold.end()
}

function createFold() {
  const messages: LanguageModelV4Message[] = []
  const prompts = new Map<PromptId, PromptContent>()
  const begun = new Set<PromptId>()
  let calls: { id: string; name: string }[] = []
  let results = new Map<string, LanguageModelV4ToolResultPart>()
  let note: string | undefined

  const closeCalls = (): void => {
    if (calls.length > 0) messages.push({ role: 'tool', content: calls.map(({ id, name }) => results.get(id) ?? noResult(id, name)) })
    calls = []
    results = new Map()
  }
  const user = (content: UserPart[]): void => {
    closeCalls()
    messages.push({ role: 'user', content: note === undefined ? content : [{ type: 'text', text: note }, ...content] })
    note = undefined
  }
  return {
    accept: ({ promptId, content }: Of<'prompt.accepted'>) => prompts.set(promptId, content),
    startTurn(promptId: PromptId) {
      const content = prompts.get(promptId)
      if (content && !begun.has(promptId)) user(content.map(userPart))
      begun.add(promptId)
    },
    assistant({ content, partial }: Of<'message.completed'>) {
      closeCalls()
      const parts = content.filter((part) => !partial || part.type === 'text').flatMap(assistantPart)
      if (parts.length === 0) return
      messages.push({ role: 'assistant', content: parts })
      calls = parts.filter((part) => part.type === 'tool-call').map(({ toolCallId, toolName }) => ({ id: toolCallId, name: toolName }))
    },
    result({ callId, name, output, isError }: Of<'tool.ended'>) {
      if (results.has(callId)) return
      const value = output === '' ? '(no output)' : output
      results.set(callId, {
        type: 'tool-result',
        toolCallId: callId,
        toolName: name,
        output: { type: isError ? 'error-text' : 'text', value },
      })
    },
    note: (text: string) => (note = text),
    end() {
      closeCalls()
      if (messages.at(-1)?.role === 'assistant') user([{ type: 'text', text: CONTINUE }])
      return messages
    },
  }
}

const noResult = (toolCallId: string, toolName: string): LanguageModelV4ToolResultPart => ({
  type: 'tool-result',
  toolCallId,
  toolName,
  output: { type: 'error-text', value: NO_RESULT },
})

function userPart(part: PromptContent[number]): UserPart {
  if (part.type === 'text') return { type: 'text', text: part.text }
  if (!isBase64(part.data)) return { type: 'text', text: `[${part.filename ?? 'A file'} (${part.mediaType}) came damaged]` } // of an older log
  if (part.mediaType.startsWith('text/')) {
    const text = new TextDecoder().decode(fromBase64(part.data))
    return { type: 'text', text: `Attached file ${part.filename ?? '(no name)'}:\n${text}` }
  }
  return { type: 'file', mediaType: part.mediaType, filename: part.filename, data: { type: 'data', data: part.data } }
}

function assistantPart(part: ContentPart): AssistantPart[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'text', text: part.text, providerOptions: part.providerMetadata }]
    case 'reasoning':
      // Without text it may still carry what the provider wants back: a signature, or encrypted content.
      if (part.text === '' && !part.providerMetadata) return []
      return [{ type: 'reasoning', text: part.text, providerOptions: part.providerMetadata }]
    case 'file':
      return [{ type: 'file', mediaType: part.mediaType, data: { type: 'data', data: part.data } }]
    case 'tool-call':
      return [
        {
          type: 'tool-call',
          toolCallId: part.toolCallId,
          toolName: part.toolName,
          input: part.input,
          providerOptions: part.providerMetadata,
        },
      ]
  }
}
