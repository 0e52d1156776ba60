import type { SessionUpdate } from '@agentclientprotocol/sdk'
import type { MessageId, SessionEvent } from '@qmtcode/protocol'
import { blocksOf } from './prompt-content.ts'
import { endedCallOf, isKeptBack, keptBackCallOf, textContent, toolCallIdOf, toolCallOf } from './tool-calls.ts'
import type { ToolView } from './tool-calls.ts'

const PROGRESS_CHARS = 8_000

/** What an editor is shown of a session's events. It remembers what it showed of unfinished messages and calls. */
export interface Updates {
  of(event: SessionEvent): SessionUpdate[]
}

export interface UpdatesOptions extends ToolView {
  /** Notices may be sent. */
  takesNotices: boolean
}

type Kind = 'text' | 'reasoning'

export function createUpdates(options: UpdatesOptions): Updates {
  const shown = new Map<MessageId, Record<Kind, number>>()
  const progress = new Map<string, string>()

  const add = (messageId: MessageId, kind: Kind, text: string): SessionUpdate[] => {
    const counts = shown.get(messageId) ?? { text: 0, reasoning: 0 }
    shown.set(messageId, { ...counts, [kind]: counts[kind] + text.length })
    if (text === '') return []
    const sessionUpdate = kind === 'text' ? 'agent_message_chunk' : 'agent_thought_chunk'
    return [{ sessionUpdate, messageId, content: { type: 'text', text } }]
  }
  /** Deltas may be lost, but only at the end of what was shown: the rest follows. */
  const complete = (messageId: MessageId, whole: Record<Kind, string>): SessionUpdate[] => {
    const { text, reasoning } = shown.get(messageId) ?? { text: 0, reasoning: 0 }
    return [...add(messageId, 'reasoning', whole.reasoning.slice(reasoning)), ...add(messageId, 'text', whole.text.slice(text))]
  }
  const notice = (severity: string, title: string): SessionUpdate[] =>
    options.takesNotices ? [{ sessionUpdate: 'notice', severity, title }] : []

  const of = (event: SessionEvent): SessionUpdate[] => {
    switch (event.type) {
      case 'prompt.accepted':
        return blocksOf(event.content).map((content) => ({ sessionUpdate: 'user_message_chunk', messageId: event.promptId, content }))
      case 'message.delta':
        return add(event.messageId, event.kind, event.text)
      case 'message.snapshot':
        return complete(event.messageId, { text: event.textSoFar, reasoning: event.reasoningSoFar })
      case 'message.completed': {
        const reasoning = event.content.map((part) => (part.type === 'reasoning' ? part.text : '')).join('')
        const rest = complete(event.messageId, { text: event.text, reasoning })
        shown.delete(event.messageId)
        return rest
      }
      case 'tool.started':
        return [{ sessionUpdate: 'tool_call', ...toolCallOf(event, options) }]
      case 'tool.progress': {
        const toolCallId = toolCallIdOf(event)
        const text = ((progress.get(toolCallId) ?? '') + event.text).slice(-PROGRESS_CHARS)
        progress.set(toolCallId, text)
        return [{ sessionUpdate: 'tool_call_update', toolCallId, content: [textContent(text)] }]
      }
      case 'tool.ended':
        progress.delete(toolCallIdOf(event))
        return [{ sessionUpdate: 'tool_call_update', ...endedCallOf(event, options) }]
      case 'model.retry':
        return notice(
          'warning',
          `${event.message}: trying again in ${Math.ceil(event.delayMs / 1_000)} s (${event.attempt} of ${event.of})`,
        )
      case 'link.lost':
        return notice('warning', `${event.node} cannot be reached: reconnecting, for ${Math.round(event.graceMs / 1_000)} s`)
      case 'link.restored':
        return notice('info', `${event.node} is back`)
      case 'permission.requested':
        return isKeptBack(event, options.isLocal) ? [{ sessionUpdate: 'tool_call_update', ...keptBackCallOf(event) }] : []
      case 'session.created':
      case 'session.configured':
      case 'session.closed':
      case 'session.shared':
      case 'session.unshared':
      case 'prompt.withdrawn':
      case 'turn.started':
      case 'route.chosen':
      case 'permission.answered':
      case 'question.asked':
      case 'question.answered':
      case 'presence.changed':
        return []
      case 'turn.ended': {
        const { context } = event.usage
        return context ? [{ sessionUpdate: 'usage_update', ...context }] : []
      }
    }
  }
  return { of }
}
