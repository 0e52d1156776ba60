import { AppError, newSessionId } from '@qmtcode/protocol'
import type {
  DurableEvent,
  DurableEventInit,
  LiveEventInit,
  PermissionAnswer,
  QuestionChoice,
  SessionAnswer,
  SessionEvent,
  SessionId,
  SessionInfo,
  SessionInit,
  Sessions,
  StopReason,
  WireError,
} from '@qmtcode/protocol'
import { createBroadcast } from './broadcast-kit.ts'
import type { Broadcast } from './broadcast-kit.ts'

/** For tests of the command line: sessions in memory whose turns are a script's. */
export interface ScriptedSessions extends Sessions {
  readonly inits: SessionInit[]
  readonly answers: SessionAnswer[]
  readonly cancelled: SessionId[]
  readonly resumed: SessionId[]
  /** A session that is there already. */
  add(info?: Partial<SessionInfo>): SessionInfo
  emit(id: SessionId, event: DurableEventInit | LiveEventInit): void
}

export interface ScriptedTurn {
  prompt: string
  turnId: string
  /** Aborts when the turn is cancelled. */
  signal: AbortSignal
  emit(event: DurableEventInit | LiveEventInit): void
  /** Says something as a model does: deltas, then the whole. */
  say(text: string, pieces?: string[]): void
  /** Requests a permission and waits for its answer. */
  ask(tool: string): Promise<PermissionAnswer>
  /** Asks a question and waits for what answers it. */
  question(asked: ScriptedQuestion): Promise<SessionAnswer['answer']>
}

interface ScriptedQuestion {
  text: string
  choices?: QuestionChoice[]
  multiple?: boolean
  freeText?: boolean
}

export type Script = (turn: ScriptedTurn) => Promise<{ stopReason: StopReason; error?: WireError } | undefined | void>

const LIVE = ['message.delta', 'message.snapshot', 'tool.progress', 'link.lost', 'link.restored']

interface Row {
  info: SessionInfo
  log: DurableEvent[]
  live: Broadcast<SessionEvent>
  queue: { promptId: string; text: string }[]
  running?: AbortController
  asked: Map<string, (answer: SessionAnswer['answer']) => void>
}

export function scriptedSessions(script: Script): ScriptedSessions {
  const rows = new Map<SessionId, Row>()
  const inits: SessionInit[] = []
  const answers: SessionAnswer[] = []
  const cancelled: SessionId[] = []
  const resumed: SessionId[] = []
  let messages = 0
  let turns = 0

  const rowOf = (id: SessionId): Row => {
    const row = rows.get(id)
    if (!row) throw new AppError('not_found', `no session ${id}`)
    return row
  }
  const emit = (id: SessionId, init: DurableEventInit | LiveEventInit): void => {
    const row = rowOf(id)
    const isLive = LIVE.includes(init.type)
    const event = { ...init, sessionId: id, at: 1_000, ...(isLive ? {} : { seq: row.log.length + 1 }) } as SessionEvent
    if ('seq' in event) row.log.push(event)
    row.info.seq = row.log.length
    row.live.send(event)
  }
  const add = (info: Partial<SessionInfo> = {}): SessionInfo => {
    const created: SessionInfo = {
      id: newSessionId(),
      title: 'a title',
      agent: 'main',
      mode: 'build',
      node: 'laptop',
      state: 'idle',
      workspace: '/work',
      private: false,
      createdAt: 1_000,
      updatedAt: 1_000,
      seq: 0,
      followers: [],
      ...info,
    }
    rows.set(created.id, { info: created, log: [], live: createBroadcast<SessionEvent>(), queue: [], asked: new Map() })
    emit(created.id, { type: 'session.created', agent: created.agent, workspace: created.workspace, author: { node: 'laptop' } })
    return created
  }
  const turnOf = (id: SessionId, prompt: string, turnId: string, signal: AbortSignal): ScriptedTurn => ({
    prompt,
    turnId,
    signal,
    emit: (event) => emit(id, event),
    say: (text, pieces = [text]) => {
      messages += 1
      const messageId = `msg_${messages}` as Extract<SessionEvent, { type: 'message.delta' }>['messageId']
      for (const piece of pieces) emit(id, { type: 'message.delta', turnId, messageId, kind: 'text', text: piece })
      emit(id, { type: 'message.completed', turnId, messageId, role: 'assistant', text, content: [{ type: 'text', text }] })
    },
    ask: async (tool) => {
      const request = `perm_${tool}_${rowOf(id).log.length}`
      const { promise, resolve } = Promise.withResolvers<SessionAnswer['answer']>()
      rowOf(id).asked.set(request, resolve)
      signal.addEventListener('abort', () => resolve('deny'))
      const author = { node: 'laptop' }
      emit(id, { type: 'permission.requested', turnId, id: request, callId: 'call', tool, input: {}, summary: `run ${tool}`, author })
      const answer = await promise
      return typeof answer === 'string' ? answer : 'deny'
    },
    question: async ({ text, choices = [], multiple = false, freeText = true }) => {
      const request = `question_${rowOf(id).log.length}`
      const { promise, resolve } = Promise.withResolvers<SessionAnswer['answer']>()
      rowOf(id).asked.set(request, resolve)
      signal.addEventListener('abort', () => resolve('deny'))
      const author = { node: 'laptop' }
      emit(id, { type: 'question.asked', turnId, id: request, callId: 'call', text, choices, multiple, freeText, author })
      return await promise
    },
  })
  const runNext = async (id: SessionId): Promise<void> => {
    const row = rowOf(id)
    for (let next = row.queue[0]; next !== undefined; next = row.queue[0]) {
      turns += 1
      const turnId = `turn_${turns}`
      const running = new AbortController()
      row.running = running
      const promptId = next.promptId as Extract<DurableEvent, { type: 'turn.started' }>['promptId']
      emit(id, { type: 'turn.started', turnId, promptId })
      const outcome = (await script(turnOf(id, next.text, turnId, running.signal))) ?? undefined
      const stopReason = running.signal.aborted ? 'cancelled' : (outcome?.stopReason ?? 'completed')
      row.queue.shift()
      row.running = undefined
      emit(id, { type: 'turn.ended', turnId, promptId, stopReason, usage: { inputTokens: 10, outputTokens: 5 }, error: outcome?.error })
    }
  }

  return {
    inits,
    answers,
    cancelled,
    resumed,
    add,
    emit,
    create: async (init) => {
      inits.push(init)
      return add({ agent: init.agent ?? 'main', workspace: init.workspace ?? '/host' })
    },
    agentModels: async () => [],
    list: async () => ({ items: [...rows.values()].map((row) => row.info) }),
    get: async (id) => ({ ...rowOf(id).info }),
    prompt: async (id, { promptId, content }) => {
      const row = rowOf(id)
      const position = row.queue.length
      row.queue.push({ promptId, text: content.map((part) => (part.type === 'text' ? part.text : '')).join('') })
      emit(id, { type: 'prompt.accepted', promptId, author: { node: 'laptop' }, content, position })
      const { seq } = row.info
      if (position === 0) runNext(id).catch((error: unknown) => process.emitWarning(String(error)))
      return { promptId, seq, position }
    },
    answer: async (id, answer) => {
      answers.push(answer)
      const resolve = rowOf(id).asked.get(answer.id)
      if (!resolve) throw new AppError('conflict', 'answered already')
      rowOf(id).asked.delete(answer.id)
      const answered = { turnId: 'turn', id: answer.id, by: { node: 'laptop' } }
      if (typeof answer.answer !== 'string') emit(id, { type: 'question.answered', ...answered, reply: answer.answer })
      else if (answer.id.startsWith('question')) emit(id, { type: 'question.answered', ...answered, reason: 'it was declined' })
      else emit(id, { type: 'permission.answered', ...answered, answer: answer.answer })
      resolve(answer.answer)
    },
    cancel: async (id, promptId) => {
      cancelled.push(id)
      const { queue, running } = rowOf(id)
      if (promptId === undefined || queue[0]?.promptId === promptId) return running?.abort()
      queue.splice(0, queue.length, ...queue.filter((queued) => queued.promptId !== promptId))
      emit(id, { type: 'prompt.withdrawn', promptId, author: { node: 'laptop' } })
    },
    resume: async (id) => {
      resumed.push(id)
      rowOf(id).queue.push({ promptId: 'pr_resumed', text: 'resumed' })
      runNext(id).catch((error: unknown) => process.emitWarning(String(error)))
    },
    configure: async (id, change) => Object.assign(rowOf(id).info, change),
    history: async (id, { before = Infinity, limit = 100 } = {}) => ({
      items: rowOf(id)
        .log.filter((event) => event.seq < before)
        .slice(-limit),
    }),
    follow: (id, { after = 0, signal } = {}) => {
      const { live, log } = rowOf(id)
      return live.follow(
        log.filter((event) => event.seq > after),
        signal,
      )
    },
    fork: async (id) => add({ title: rowOf(id).info.title }),
    listFiles: async () => ({ items: [], more: false }),
    readFile: async (_, path) => {
      throw new AppError('not_found', `no file ${path}`)
    },
    presence: async () => [],
    share: async () => {},
    unshare: async () => {},
    close: async () => {},
    delete: async (id) => {
      rowOf(id)
      rows.delete(id)
    },
  }
}
