import type { AgentContext, PromptResponse, SessionUpdate } from '@agentclientprotocol/sdk'
import { AppError, isDurable, toAppError } from '@qmtcode/protocol'
import type { Logger, PromptContent, PromptId, SessionEvent, SessionInfo, Sessions } from '@qmtcode/protocol'
import { createPrompts } from './prompts.ts'
import { createQuestions, openQuestions } from './questions.ts'
import { askedCallOf } from './tool-calls.ts'
import { createUpdates } from './updates.ts'

/** A session that the editor has open: its events go out as `session/update`, in order, until `stop`. */
export interface Attachment {
  /** Resolves when all that was there has been sent and what comes is followed. Follows again where the events had ended. */
  ready(): Promise<void>
  prompt(content: PromptContent, signal: AbortSignal): Promise<PromptResponse>
  cancel(): Promise<void>
  /** Sends the options and the title that hold now. */
  refresh(): Promise<void>
  stop(): Promise<void>
}

export interface AttachmentComponents {
  sessions: Sessions
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
}

interface Following {
  ready: Promise<void>
  done: Promise<void>
}

export function attach(components: AttachmentComponents, options: AttachmentOptions): Attachment {
  const { sessions, client, log } = components
  const { info, replay } = options
  const { id } = info
  const stopped = new AbortController()
  const view = { workspace: info.workspace, isLocal: options.isLocal }
  let shownSeq = replay ? 0 : info.seq
  let runningPrompt: PromptId | undefined
  let following: Following | undefined
  let recalled = false
  let hasTitle = info.title !== ''

  const updates = createUpdates({ ...view, takesNotices: options.takesNotices })
  const send = (update: SessionUpdate): Promise<void> => client.notify('session/update', { sessionId: id, update })
  const refresh = async (): Promise<void> => {
    const now = await sessions.get(id)
    hasTitle = now.title !== ''
    for (const update of await components.describe(now)) await send(update)
  }
  const prompts = createPrompts({ sessions, sessionId: id, log })
  const isOurTurn = (): boolean => runningPrompt !== undefined && prompts.isOurs(runningPrompt)
  const questions = createQuestions({
    sessions,
    sessionId: id,
    log,
    gone: components.gone,
    isOurs: () => isOurTurn() && !prompts.isCancelling(),
    show: (question, permissionOptions, cancellationSignal) => {
      const toolCall = askedCallOf(question, view, isOurTurn() ? undefined : question.author)
      const request = { sessionId: id, toolCall, options: permissionOptions }
      return client.request('session/request_permission', request, { cancellationSignal, stopWaitingOnCancel: true })
    },
  })

  const show = async (event: SessionEvent, isHistory: boolean): Promise<void> => {
    if (event.type === 'turn.started') runningPrompt = event.promptId
    const isEcho = event.type === 'prompt.accepted' && prompts.isOurs(event.promptId)
    if (!isEcho) for (const update of updates.of(event)) await send(update)
    if (event.type === 'permission.requested') questions.opened(event)
    if (event.type === 'permission.answered') questions.answered(event.id)
    const isNamed = event.type === 'prompt.accepted' && !hasTitle // a session is named by its first prompt
    if (!isHistory && (event.type === 'session.configured' || isNamed)) await refresh()
    prompts.heard(event)
  }
  const readAll = async (head: number, onHead: () => void): Promise<void> => {
    // From before the head on, so that an event comes at once: then the following stands, and no delta of a turn is missed.
    const after = Math.max(0, Math.min(shownSeq, head - 1))
    for await (const event of sessions.follow(id, { after, signal: stopped.signal })) {
      const isLive = !isDurable(event)
      if (isLive || event.seq > shownSeq) {
        if (!isLive) shownSeq = event.seq
        await show(event, !isLive && event.seq <= head)
      }
      if (!isLive && event.seq >= head) onHead()
    }
    throw new AppError('link_lost', `the events of ${id} ended`)
  }
  const follow = (): Following => {
    const ready = Promise.withResolvers<void>()
    const onEnd = (error: unknown): void => {
      following = undefined
      ready.reject(error)
      prompts.failAll(error)
      if (!stopped.signal.aborted && !components.gone.aborted)
        log.warn('a session is not followed any more', { id, error: messageOf(error) })
    }
    const head = Math.max(1, shownSeq, info.seq)
    const done = recall()
      .then(() => readAll(head, ready.resolve))
      .catch(onEnd)
    const isReady = ready.promise.then(questions.release)
    isReady.catch(() => {}) // those who wait for it hear of it
    return { ready: isReady, done }
  }
  /** What was asked before the first event that is sent. */
  const recall = async (): Promise<void> => {
    if (replay || info.state !== 'waiting' || recalled) return
    recalled = true
    for (const question of await openQuestions(sessions, id)) questions.opened(question)
  }
  const ready = (): Promise<void> => (following ??= follow()).ready
  return {
    ready,
    prompt: (content, signal) => prompts.run(content, { ready, signal }),
    cancel: prompts.cancel,
    refresh,
    stop: async () => {
      stopped.abort()
      await following?.done
      await questions.stop()
    },
  }
}

const messageOf = (error: unknown): string => toAppError(error).message
