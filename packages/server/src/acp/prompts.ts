import type { PromptResponse } from '@agentclientprotocol/sdk'
import { newPromptId, toAppError } from '@qmtcode/protocol'
import type { Logger, PromptContent, PromptId, SessionEvent, SessionId } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'
import { isTakenBack } from './errors.ts'
import { promptResponseOf } from './stop-reason.ts'

/** The prompts of one editor in one session, until their turns have ended. They outlast an attachment: a session may be loaded meanwhile. */
export interface Prompts {
  /** Resolves when the host has it. `ready` comes before it is sent; `signal` is of the editor's request. */
  send(content: PromptContent, options: { ready: () => Promise<void>; signal: AbortSignal }): Promise<SentPrompt>
  isOurs(promptId: PromptId): boolean
  /** After the event was shown: an answer comes behind all that belongs to it. */
  heard(event: SessionEvent): void
  /** Ends ours, and resolves when their ends were heard. Gives how many there were. */
  cancel(): Promise<number>
  /** Ends ours, of which nobody will hear any more. */
  abandon(): Promise<void>
  /** It is ours, and somebody at the editor cancelled it. */
  isCancelled(promptId: PromptId): boolean
  /** What the host had taken will not end: these prompts fail. One that is being sent still has its own end. */
  failSent(error: unknown): void
}

export interface SentPrompt {
  /** Resolves when its turn has ended. */
  ended: Promise<PromptResponse>
}

interface Waiting {
  ended: PromiseWithResolvers<PromptResponse>
  /** The host has it, or refused it: from then on it can be cancelled. */
  sent: Promise<unknown>
  isSent: boolean
  isCancelled: boolean
}

export function createPrompts({ sessions, sessionId, log }: { sessions: AcpSessions; sessionId: SessionId; log: Logger }): Prompts {
  const waiting = new Map<PromptId, Waiting>()

  /** Whether the host did it. */
  const cancelOne = async (promptId: PromptId, { sent }: Waiting): Promise<boolean> => {
    try {
      await sent
      await sessions.cancel(sessionId, promptId)
      return true
    } catch (error) {
      log.warn('a prompt could not be cancelled', { sessionId, promptId, error: toAppError(error).message })
      return false
    }
  }
  /** What waits goes first, so that it does not start. */
  const cancelAll = async (): Promise<Waiting[]> => {
    const ours = [...waiting].toReversed()
    for (const [, mine] of ours) mine.isCancelled = true
    const cancelled: Waiting[] = []
    for (const [promptId, mine] of ours) if (await cancelOne(promptId, mine)) cancelled.push(mine)
    return cancelled
  }
  const send: Prompts['send'] = async (content, { ready, signal }) => {
    const promptId = newPromptId()
    const ended = Promise.withResolvers<PromptResponse>()
    const sent = ready().then(() => sessions.prompt(sessionId, { promptId, content }))
    const mine: Waiting = { ended, sent, isSent: false, isCancelled: false }
    waiting.set(promptId, mine)
    const onAbort = (): void => {
      if (!isTakenBack(signal)) return
      mine.isCancelled = true
      cancelOne(promptId, mine).catch(() => {}) // it never rejects
    }
    const forget = (): void => {
      signal.removeEventListener('abort', onAbort)
      waiting.delete(promptId)
    }
    ended.promise.then(forget, forget)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      await sent
    } catch (error) {
      ended.reject(error)
      throw error
    }
    mine.isSent = true
    return { ended: ended.promise }
  }
  const heard = (event: SessionEvent): void => {
    if (event.type === 'prompt.withdrawn') waiting.get(event.promptId)?.ended.resolve({ stopReason: 'cancelled' })
    if (event.type !== 'turn.ended') return
    const ended = waiting.get(event.promptId)?.ended
    try {
      ended?.resolve(promptResponseOf(event))
    } catch (error) {
      ended?.reject(error)
    }
  }
  return {
    send,
    heard,
    isOurs: (promptId) => waiting.has(promptId),
    cancel: async () => {
      const count = waiting.size
      const cancelled = await cancelAll()
      await Promise.allSettled(cancelled.map(({ ended }) => ended.promise)) // their requests are answered with it
      return count
    },
    abandon: async () => void (await cancelAll()),
    isCancelled: (promptId) => waiting.get(promptId)?.isCancelled ?? false,
    failSent: (error) => {
      for (const { ended, isSent } of waiting.values()) if (isSent) ended.reject(error)
    },
  }
}
