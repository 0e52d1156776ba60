import type { AgentContext, SessionUpdate } from '@agentclientprotocol/sdk'
import { toAppError } from '@qmtcode/protocol'
import type { Logger, PromptContent, PromptId, SessionEvent, SessionInfo } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'
import { createDialogues } from './dialogues.ts'
import type { Question } from './dialogues.ts'
import { createFollowing } from './following.ts'
import type { Prompts, SentPrompt } from './prompts.ts'
import { createQuestions, openQuestions } from './questions.ts'
import { interrupted } from './stop-reason.ts'
import { isKeptBack } from './tool-calls.ts'
import { createUpdates } from './updates.ts'

/** A session that the editor has open: its events go out as `session/update`, in order, until `stop`. */
export interface Attachment {
  /** Resolves when the host has it. */
  prompt(content: PromptContent, signal: AbortSignal): Promise<SentPrompt>
  /** Ends the editor's prompts; where there is none, whatever runs in the session. */
  cancel(): Promise<void>
  /** Resolves when all up to now has been shown, also where the events had ended. */
  ready(): Promise<void>
  /** Sends the options and the title that hold now. */
  refresh(): Promise<void>
  stop(): Promise<void>
}

export interface AttachmentComponents {
  sessions: AcpSessions
  /** Of this session. */
  prompts: Prompts
  client: AgentContext
  /** Aborts when the editor is gone. */
  gone: AbortSignal
  log: Logger
  /** Updates that tell of `info`. */
  describe(info: SessionInfo): Promise<SessionUpdate[]>
}

export interface AttachmentOptions {
  info: SessionInfo
  /** Everything from the first event on; else only what comes. */
  replay: boolean
  isLocal: boolean
  takesNotices: boolean
  /** The editor shows forms (elicitation). */
  takesForms: boolean
}

/** Resolves when all that was there has been sent, and what comes is followed. */
export async function attach(components: AttachmentComponents, options: AttachmentOptions): Promise<Attachment> {
  const { sessions, prompts, client, gone, log } = components
  const { info, replay, isLocal, takesNotices, takesForms } = options
  const { id: sessionId, workspace } = info
  let runningPrompt: PromptId | undefined
  let recovering: Promise<void> | undefined
  let hasTitle = info.title !== ''

  const updates = createUpdates({ workspace, isLocal, takesNotices })
  const isForEditor = (question: Question): boolean => question.type === 'question.asked' || !isKeptBack(question, isLocal)
  const isOurTurn = (): boolean => runningPrompt !== undefined && prompts.isOurs(runningPrompt)
  const questions = createQuestions({
    sessions,
    sessionId,
    log,
    gone,
    isOurs: () => runningPrompt !== undefined && isOurTurn() && !prompts.isCancelled(runningPrompt),
    show: createDialogues({ sessionId, client, view: { workspace, isLocal }, takesForms, isOurs: isOurTurn }),
  })
  const send = async (all: readonly SessionUpdate[]): Promise<void> => {
    for (const update of all) await client.notify('session/update', { sessionId, update })
  }
  const refresh = async (): Promise<void> => {
    const now = await sessions.get(sessionId)
    hasTitle = now.title !== ''
    await send(await components.describe(now))
  }
  const show = async (event: SessionEvent, isHistory: boolean): Promise<void> => {
    if (event.type === 'turn.started') runningPrompt = event.promptId
    const isEcho = !isHistory && event.type === 'prompt.accepted' && prompts.isOurs(event.promptId)
    if (!isEcho) await send(updates.of(event))
    if ((event.type === 'permission.requested' || event.type === 'question.asked') && isForEditor(event)) questions.opened(event)
    if (event.type === 'permission.answered' || event.type === 'question.answered') questions.answered(event.id)
    const isNamed = event.type === 'prompt.accepted' && !hasTitle // a session is named by its first prompt
    if (!isHistory && (event.type === 'session.configured' || isNamed)) await refresh()
    prompts.heard(event)
  }
  /** What was asked before the first event that is shown. */
  const recall = async (): Promise<void> => {
    for (const question of await openQuestions(sessions, sessionId)) if (isForEditor(question)) questions.opened(question)
  }
  /** The host may be back at once, or another process in its place: what its end cut is interrupted there. */
  const recover = async (lost: unknown): Promise<void> => {
    log.warn('the events of a session ended', { sessionId, error: toAppError(lost).message })
    try {
      await following.ready()
      if ((await sessions.get(sessionId)).state === 'interrupted') prompts.failSent(interrupted(sessionId, lost))
    } catch (error) {
      prompts.failSent(lost)
      log.warn('a session is not followed any more', { sessionId, error: toAppError(error).message })
    }
  }
  const onLost = (cause: unknown): void => {
    recovering ??= recover(cause).finally(() => (recovering = undefined))
  }

  if (!replay && info.state === 'waiting') await recall()
  const following = createFollowing({ sessions, info, gone, show, onHead: questions.release, onLost }, { after: replay ? 0 : info.seq })
  const stop = async (): Promise<void> => {
    await following.stop()
    await recovering
    await questions.stop()
  }
  await following.ready()
  return {
    prompt: (content, signal) => prompts.send(content, { ready: following.ready, signal }),
    cancel: async () => {
      if ((await prompts.cancel()) === 0) await sessions.cancel(sessionId)
    },
    ready: following.ready,
    refresh,
    stop,
  }
}
