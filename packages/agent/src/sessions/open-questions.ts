import { AppError, newId, toAppError } from '@qmtcode/protocol'
import type { Author, DurableEvent, DurableEventInit, SessionAnswer } from '@qmtcode/protocol'
import type { TurnContext } from '../turn/types.ts'
import { checkReply } from './check-reply.ts'
import type { TurnHost } from './turn-types.ts'

type Of<Type extends DurableEventInit['type']> = Extract<DurableEventInit, { type: Type }>
type Asked = Of<'permission.requested'> | Of<'question.asked'>
type Answered = Of<'permission.answered'> | Of<'question.answered'>

/** Who asks: a tool call that needs a permission, or the model. */
export type QuestionKind = 'permission' | 'question'

/** What a turn asks of people. */
export interface OpenQuestions {
  /** Nobody will answer: what is asked is answered at once, with that reason. */
  isUnattended: boolean
  readonly ask: TurnContext['ask']
  readonly question: TurnContext['question']
  /** Answers durably; false when the question is not open. Throws forbidden and bad_request. */
  answer(id: string, given: { answer: SessionAnswer['answer']; by: Author }): Promise<boolean>
  /** Of an open question. */
  kindOf(id: string): QuestionKind | undefined
  /** At least one is open. */
  isWaiting(): boolean
}

interface Turn {
  turnId: string
  write(events: readonly DurableEventInit[]): Promise<DurableEvent[]>
  signal: AbortSignal
  /** What happened in this turn before the node's last stop: its questions are open still. */
  earlier: readonly DurableEvent[]
}

interface Waiting extends PromiseWithResolvers<Answered> {
  asked: Asked
}

export function createOpenQuestions(host: TurnHost, { turnId, write, signal, earlier }: Turn): OpenQuestions {
  const open = new Map<string, Waiting>()
  const add = (asked: Asked): Waiting => {
    const waiting = { asked, ...Promise.withResolvers<Answered>() }
    waiting.promise.catch(() => {}) // it may be rejected before anybody waits for it
    open.set(asked.id, waiting)
    return waiting
  }
  const asBefore = restore(earlier, add, (id) => open.delete(id))
  signal.addEventListener('abort', () => {
    for (const { reject } of open.values()) reject(toAppError(signal.reason))
  })

  const put = async (asked: Asked, nobody: string): Promise<Answered> => {
    signal.throwIfAborted()
    const before = asBefore.get(keyOf(asked))
    if (before) return await before.promise
    if (questions.isUnattended) {
      const answered = unanswered(asked, nobody)
      await write([asked, answered])
      return answered
    }
    const waiting = add(asked)
    try {
      await write([asked])
      return await waiting.promise
    } finally {
      open.delete(asked.id)
    }
  }
  const questions: OpenQuestions = {
    isUnattended: false,
    ask: async (request) => {
      const asked: Asked = { type: 'permission.requested', turnId, id: newId('ask'), ...request, author: host.prompt.author }
      const nobody = request.reserved
        ? `only the person at ${host.node} may allow this, and in this session nobody is asked`
        : 'nobody can answer in this session'
      const answered = await put(asked, nobody)
      if (answered.type !== 'permission.answered') throw new AppError('internal', `${answered.id} is no permission`)
      return { answer: answered.answer, by: answered.by, reason: answered.reason }
    },
    question: async (question) => {
      const asked: Asked = { type: 'question.asked', turnId, id: newId('ask'), ...question, author: host.prompt.author }
      const answered = await put(asked, 'nobody can answer in this session')
      if (answered.type !== 'question.answered') throw new AppError('internal', `${answered.id} is no question`)
      return { reply: answered.reply, by: answered.by, reason: answered.reason }
    },
    answer: async (id, { answer, by }) => {
      const waiting = open.get(id)
      if (!waiting) return false
      assertMayAnswer(host, waiting.asked, by)
      const answered = answerTo(waiting.asked, answer, by)
      await write([answered])
      open.delete(id)
      waiting.resolve(answered)
      return true
    },
    kindOf: (id) => {
      const asked = open.get(id)?.asked
      return asked && (asked.type === 'question.asked' ? 'question' : 'permission')
    },
    isWaiting: () => open.size > 0,
  }
  return questions
}

/** A call asks at most one of each kind. */
const keyOf = ({ type, callId }: Asked): string => `${type} ${callId}`

/** The questions of calls that have not ended, by their call: those that were answered keep their answer. */
function restore(
  events: readonly DurableEvent[],
  add: (asked: Asked) => Waiting,
  close: (id: string) => void,
): ReadonlyMap<string, Waiting> {
  const ended = new Set(events.flatMap((event) => (event.type === 'tool.ended' ? [event.callId] : [])))
  const byCall = new Map<string, Waiting>()
  for (const event of events) {
    if (event.type === 'permission.requested' || event.type === 'question.asked') {
      if (!ended.has(event.callId)) byCall.set(keyOf(event), add(event))
    } else if (event.type === 'permission.answered' || event.type === 'question.answered') {
      for (const { asked, resolve } of byCall.values()) if (asked.id === event.id) resolve(event)
      close(event.id)
    }
  }
  return byCall
}

const unanswered = ({ type, turnId, id }: Asked, reason: string): Answered =>
  type === 'question.asked'
    ? { type: 'question.answered', turnId, id, reason }
    : { type: 'permission.answered', turnId, id, answer: 'deny', reason }

function assertMayAnswer({ guestOf, node, sessionId }: TurnHost, asked: Asked, by: Author): void {
  if (asked.type !== 'permission.requested' || !asked.reserved || guestOf(by) === undefined) return
  throw new AppError('forbidden', `only the person at ${node} may answer this question`, {
    hint: `on ${node}: qmtcode attach ${sessionId}`,
  })
}

function answerTo(asked: Asked, answer: SessionAnswer['answer'], by: Author): Answered {
  const { turnId, id } = asked
  if (asked.type === 'permission.requested') {
    if (asked.reserved && answer === 'allow_session') {
      throw new AppError('bad_request', `${id} was caused by another node: it can be allowed once, not for the session`, {
        hint: 'allow or deny',
      })
    }
    if (typeof answer === 'string') return { type: 'permission.answered', turnId, id, answer, by }
    throw new AppError('bad_request', `${id} asks for a permission: it takes no words`, { hint: 'allow, allow_session or deny' })
  }
  if (typeof answer !== 'string') return { type: 'question.answered', turnId, id, reply: checkReply(asked, answer), by }
  if (answer === 'deny') return { type: 'question.answered', turnId, id, by, reason: 'it was declined' }
  throw new AppError('bad_request', `${id} is a question, not a permission`, { hint: 'its choices, a text, or deny to decline it' })
}
