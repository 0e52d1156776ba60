import type { PromptResponse } from '@agentclientprotocol/sdk'
import { newPromptId, toAppError } from '@qmtcode/protocol'
import type { Logger, PromptContent, PromptId, SessionEvent, SessionId } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'
import { isTakenBack } from './errors.ts'
import { promptResponseOf } from './stop-reason.ts'

/** The prompts of one editor in one session, until their turns have ended. */
export interface Prompts {
  /** Resolves when its turn has ended. `ready` comes before it is sent; `signal` is of the editor's request. */
  run(content: PromptContent, options: { ready: () => Promise<void>; signal: AbortSignal }): Promise<PromptResponse>
  isOurs(promptId: PromptId): boolean
  /** After the event was shown: an answer comes behind all that belongs to it. */
  heard(event: SessionEvent): void
  /** Ends ours; where there is none, whatever runs in the session. */
  cancel(): Promise<void>
  /** A cancel was asked for, and a turn of ours still runs. */
  isCancelling(): boolean
  /** What the host had taken will not end: these prompts fail. One that is being sent still has its own end. */
  failSent(error: unknown): void
}

interface Waiting {
  ended: PromiseWithResolvers<PromptResponse>
  /** The host has it, or refused it: from then on it can be cancelled. */
  sent: Promise<unknown>
  isSent: boolean
}

export function createPrompts({ sessions, sessionId, log }: { sessions: AcpSessions; sessionId: SessionId; log: Logger }): Prompts {
  const waiting = new Map<PromptId, Waiting>()
  let cancelling = false

  const cancelOne = async (promptId: PromptId): Promise<void> => {
    try {
      await waiting.get(promptId)?.sent.catch(() => {})
      await sessions.cancel(sessionId, promptId)
    } catch (error) {
      log.warn('a prompt could not be cancelled', { sessionId, promptId, error: toAppError(error).message })
    }
  }
  const run: Prompts['run'] = async (content, { ready, signal }) => {
    const promptId = newPromptId()
    const ended = Promise.withResolvers<PromptResponse>()
    ended.promise.catch(() => {}) // sending may fail first
    const sent = ready().then(() => sessions.prompt(sessionId, { promptId, content }))
    const mine: Waiting = { ended, sent, isSent: false }
    waiting.set(promptId, mine)
    let cancelled: Promise<void> | undefined
    const onAbort = (): void => {
      if (isTakenBack(signal)) cancelled = cancelOne(promptId)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      if (signal.aborted) onAbort()
      await sent
      mine.isSent = true
      return await ended.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      waiting.delete(promptId)
      if (waiting.size === 0) cancelling = false
      await cancelled
    }
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
    run,
    heard,
    isOurs: (promptId) => waiting.has(promptId),
    cancel: async () => {
      const ours = [...waiting.keys()].toReversed() // what waits goes first, so that it does not start
      cancelling = ours.length > 0
      if (ours.length === 0) await sessions.cancel(sessionId)
      for (const promptId of ours) await cancelOne(promptId)
    },
    isCancelling: () => cancelling,
    failSent: (error) => {
      for (const { ended, isSent } of waiting.values()) if (isSent) ended.reject(error)
    },
  }
}
