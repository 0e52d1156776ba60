import { AppError, fromWireError, isAppError, newPromptId } from '@qmtcode/protocol'
import type { PromptContent, SessionAnswer, SessionEvent, SessionId, SessionInfo, Sessions } from '@qmtcode/protocol'

/** One session, wherever its host is. */
export interface AgentSession {
  id: SessionId
  info: SessionInfo
  /**
   * One prompt to its end: the text of its answer. What it asks goes to `onAsk`; without one, a permission is denied and a question stays
   * without answer: nobody is there who could say yes. Throws the turn's error; cancelled when it was.
   */
  chat(text: string, options?: ChatOptions): Promise<string>
  /** The events of one prompt, from its acceptance to the end of its turn; what it asks waits for `answer`. Leaving the loop leaves the turn running. */
  prompt(content: string | PromptContent, options?: { signal?: AbortSignal }): AsyncIterable<SessionEvent>
  /** All that happens in the session. */
  follow(options?: { after?: number; signal?: AbortSignal }): AsyncIterable<SessionEvent>
  /** Answers a permission or a question of the session. Throws conflict where somebody else did, or it is closed. */
  answer(answer: SessionAnswer): Promise<void>
  cancel(): Promise<void>
}

/** What a turn waits for. */
export type AskedEvent = Extract<SessionEvent, { type: 'permission.requested' | 'question.asked' }>

export interface ChatOptions {
  signal?: AbortSignal
  /** Decides what the turn asks: `allow`, `allow_session` or `deny`; for a question its reply, or `deny` to leave it to the model. */
  onAsk?(asked: AskedEvent): Promise<SessionAnswer['answer']> | SessionAnswer['answer']
}

const denyAll = () => 'deny' as const

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

  /** What somebody else answered first, or only the host's person may answer, is theirs. */
  const reply = async (asked: AskedEvent, answer: SessionAnswer['answer']): Promise<void> => {
    try {
      await sessions.answer(id, { id: asked.id, answer })
    } catch (error) {
      if (!isAppError(error, 'conflict', 'forbidden')) throw error
    }
  }

  return {
    id,
    info,
    prompt,
    chat: async (text, { signal, onAsk = denyAll } = {}) => {
      let answer = ''
      for await (const event of prompt(text, { signal })) {
        if (event.type === 'permission.requested' || event.type === 'question.asked') await reply(event, await onAsk(event))
        if (event.type === 'message.completed') answer = event.text
        if (event.type === 'turn.ended' && event.error) throw fromWireError(event.error)
        if (event.type === 'turn.ended' && event.stopReason === 'cancelled') throw new AppError('cancelled', 'the turn was cancelled')
      }
      return answer
    },
    follow: (options) => sessions.follow(id, options),
    answer: (answer) => sessions.answer(id, answer),
    cancel: () => sessions.cancel(id),
  }
}
