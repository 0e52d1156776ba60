import { AppError, fromWireError, newPromptId } from '@qmtcode/protocol'
import type { PromptContent, SessionEvent, SessionId, SessionInfo, Sessions } from '@qmtcode/protocol'

/** One session, wherever its host is. */
export interface AgentSession {
  id: SessionId
  info: SessionInfo
  /** One prompt to its end: the text of its answer. Throws the turn's error; cancelled when it was. */
  chat(text: string, options?: { signal?: AbortSignal }): Promise<string>
  /** The events of one prompt, from its acceptance to the end of its turn. Leaving the loop leaves the turn running. */
  prompt(content: string | PromptContent, options?: { signal?: AbortSignal }): AsyncIterable<SessionEvent>
  /** All that happens in the session. */
  follow(options?: { after?: number; signal?: AbortSignal }): AsyncIterable<SessionEvent>
  cancel(): Promise<void>
}

export function openSession(sessions: Sessions, info: SessionInfo): AgentSession {
  const { id } = info

  async function* prompt(content: string | PromptContent, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<SessionEvent> {
    const promptId = newPromptId()
    const { seq } = await sessions.get(id)
    const parts: PromptContent = typeof content === 'string' ? [{ type: 'text', text: content }] : content
    await sessions.prompt(id, { promptId, content: parts })
    let turnId: string | undefined
    let accepted = false
    for await (const event of sessions.follow(id, { after: seq, signal })) {
      if (event.type === 'prompt.accepted') accepted ||= event.promptId === promptId
      if (event.type === 'turn.started' && event.promptId === promptId) turnId = event.turnId
      const isOurs = 'turnId' in event ? event.turnId === turnId : accepted
      if (isOurs) yield event
      if (event.type === 'turn.ended' && event.promptId === promptId) return
      if (event.type === 'prompt.withdrawn' && event.promptId === promptId) throw new AppError('cancelled', 'the prompt was withdrawn')
    }
    throw new AppError('cancelled', 'no longer followed')
  }

  return {
    id,
    info,
    prompt,
    chat: async (text, options) => {
      let answer = ''
      for await (const event of prompt(text, options)) {
        if (event.type === 'message.completed') answer = event.text
        if (event.type === 'turn.ended' && event.error) throw fromWireError(event.error)
        if (event.type === 'turn.ended' && event.stopReason === 'cancelled') throw new AppError('cancelled', 'the turn was cancelled')
      }
      return answer
    },
    follow: (options) => sessions.follow(id, options),
    cancel: () => sessions.cancel(id),
  }
}
