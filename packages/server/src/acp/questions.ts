import { isAppError, toAppError } from '@qmtcode/protocol'
import type { Logger, SessionId } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'
import type { Question, Show, Shown } from './dialogues.ts'

/** A session's open questions, each put to the editor until somebody, there or elsewhere, has answered. */
export interface Questions {
  /** Asked at once, or by `release`. */
  opened(question: Question): void
  /** Somebody answered: the editor's dialogue is withdrawn. */
  answered(id: string): void
  /** From now on questions are asked: what came before is history, of which only the open ones count. */
  release(): void
  stop(): Promise<void>
}

export interface QuestionsComponents {
  sessions: AcpSessions
  sessionId: SessionId
  log: Logger
  /** Aborts when the editor is gone: its questions stay open. */
  gone: AbortSignal
  show: Show
  /** Whether nobody else may be asked in the editor's place: it caused the question, and did not cancel meanwhile. */
  isOurs(question: Question): boolean
}

export function createQuestions(components: QuestionsComponents): Questions {
  const open = new Map<string, Question>()
  const asking = new Map<string, AbortController>()
  const running = new Set<Promise<void>>()
  let isReleased = false

  const start = (question: Question): void => {
    const withdrawn = new AbortController()
    asking.set(question.id, withdrawn)
    const signal = AbortSignal.any([withdrawn.signal, components.gone])
    const done: Promise<void> = ask(components, question, signal).finally(() => {
      asking.delete(question.id)
      running.delete(done)
    })
    running.add(done)
  }
  return {
    opened: (question) => {
      if (isReleased) start(question)
      else open.set(question.id, question)
    },
    answered: (id) => {
      open.delete(id)
      asking.get(id)?.abort()
    },
    release: () => {
      isReleased = true
      for (const question of open.values()) start(question)
      open.clear()
    },
    stop: async () => {
      open.clear()
      for (const withdrawn of asking.values()) withdrawn.abort()
      await Promise.all(running)
    },
  }
}

/** Never throws. */
async function ask(
  { sessions, sessionId, log, show, isOurs }: QuestionsComponents,
  question: Question,
  signal: AbortSignal,
): Promise<void> {
  let answer: Shown
  try {
    answer = await show(question, signal)
  } catch (error) {
    if (!signal.aborted) log.warn('the editor cannot be asked', { error: toAppError(error).message })
  }
  if (signal.aborted) return
  if (answer === undefined && !isOurs(question)) return // others may answer
  try {
    await sessions.answer(sessionId, { id: question.id, answer: answer ?? 'deny' })
  } catch (error) {
    const expected = isAppError(error, 'conflict', 'not_found') // somebody was faster, or the turn is over
    log[expected ? 'debug' : 'warn']('an answer was not taken', { question: question.id, error: toAppError(error).message })
  }
}

const PAGE = 200

/** The questions of a running turn that nobody has answered yet. */
export async function openQuestions(sessions: AcpSessions, id: SessionId): Promise<Question[]> {
  const answered = new Set<string>()
  const open: Question[] = []
  let before: number | undefined
  for (;;) {
    const { items, cursor } = await sessions.history(id, { before, limit: PAGE })
    for (const event of items.toReversed()) {
      if (event.type === 'turn.started' || event.type === 'turn.ended') return open.toReversed()
      if (event.type === 'permission.answered' || event.type === 'question.answered') answered.add(event.id)
      if ((event.type === 'permission.requested' || event.type === 'question.asked') && !answered.has(event.id)) open.push(event)
    }
    before = items[0]?.seq
    if (cursor === undefined || before === undefined) return open.toReversed()
  }
}
