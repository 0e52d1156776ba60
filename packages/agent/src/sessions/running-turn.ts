import { AppError, isAppError, newId, toAppError, toWireError } from '@qmtcode/protocol'
import type { Author, DurableEvent, DurableEventInit, PeerId, PermissionAnswer, PromptId, SessionId } from '@qmtcode/protocol'
import type { QueuedPrompt, SessionRow } from '../log/types.ts'
import type { RunTurn, TurnContext, TurnOutcome } from '../turn/types.ts'
import { createLedger } from './ledger.ts'
import type { TurnEnd } from './ledger.ts'

/** A turn from `turn.started` to `turn.ended`, whatever RunTurn does. */
export interface RunningTurn {
  readonly promptId: PromptId
  /** Whose prompt it is. */
  readonly author: Author
  /** `cancelled` by a person, or `interrupted` by the node's stop. The first one counts. */
  abort(reason: AppError): void
  /** Answers an open question durably; false when it is not open. */
  answer(id: string, given: { answer: PermissionAnswer; by: Author }): Promise<boolean>
  /** Resolves after the last event is written; rejects when it could not be. */
  done: Promise<void>
}

/** The session's side of a turn. */
export interface TurnHost {
  sessionId: SessionId
  prompt: QueuedPrompt
  runTurn: RunTurn
  append(events: readonly DurableEventInit[]): Promise<DurableEvent[]>
  publish: TurnContext['publish']
  /** What RunTurn is given: with the events up to `seq`, the turn's start. */
  load(seq: number): Promise<{ row: SessionRow; events: DurableEvent[]; agent: TurnContext['agent'] }>
  /** Writes the last events. */
  end(events: readonly DurableEventInit[], stopReason: TurnOutcome['stopReason']): Promise<void>
  /** The peer that an author is; undefined for this node's own person. */
  guestOf(author: Author): PeerId | undefined
  node: string
  graceMs: number
}

export function startTurn(host: TurnHost): RunningTurn {
  const turnId = newId('turn')
  const { promptId, author } = host.prompt
  const controller = new AbortController()
  const writer = createTurnWriter(host, turnId)
  const questions = createQuestions(host, { turnId, write: writer.write, signal: controller.signal })

  const run = async (): Promise<void> => {
    const started = first(await host.append([{ type: 'turn.started', turnId, promptId }]))
    const outcome = await untilEnd(controller.signal, host.graceMs, async () => {
      const { row, events, agent } = await host.load(started.seq)
      controller.signal.throwIfAborted()
      questions.isUnattended = row.unattended
      return await host.runTurn({
        sessionId: host.sessionId,
        turnId,
        promptId,
        agent,
        model: row.model,
        mode: row.mode,
        workspace: row.workspace,
        author: host.prompt.author,
        guest: host.guestOf(host.prompt.author) ?? host.guestOf(row.author),
        allow: row.allow,
        events,
        append: async (event) => first(await writer.write([event])),
        publish: writer.publish,
        ask: questions.ask,
        signal: controller.signal,
      })
    })
    await writer.close()
    const end = endOf(outcome, controller.signal)
    await host.end(writer.closing(end), end.stopReason)
  }
  return { promptId, author, abort: (reason) => controller.abort(reason), answer: questions.answer, done: run() }
}

/** Nothing is written or published through it once it is closed, however long a tool clings to its turn. */
function createTurnWriter(host: TurnHost, turnId: string) {
  const ledger = createLedger({ turnId, promptId: host.prompt.promptId })
  const inFlight = new Set<Promise<unknown>>()
  let isOver = false
  return {
    write: async (events: readonly DurableEventInit[]): Promise<DurableEvent[]> => {
      if (isOver) throw new AppError('cancelled', 'the turn is over')
      const writing = host.append(events)
      inFlight.add(writing)
      try {
        const stored = await writing
        for (const event of events) ledger.observe(event)
        return stored
      } finally {
        inFlight.delete(writing)
      }
    },
    publish: (event: Parameters<TurnContext['publish']>[0]): void => {
      if (!isOver) host.publish(event)
    },
    close: async (): Promise<void> => {
      isOver = true
      await Promise.allSettled(inFlight)
    },
    closing: ledger.closing,
  }
}

/** The permission requests of a turn that wait for an answer. */
function createQuestions(
  host: TurnHost,
  turn: { turnId: string; write(events: readonly DurableEventInit[]): Promise<DurableEvent[]>; signal: AbortSignal },
) {
  const open = new Map<string, PromiseWithResolvers<{ answer: PermissionAnswer }> & { reserved?: boolean }>()
  const { turnId, write, signal } = turn
  const questions = {
    isUnattended: false,
    ask: async (request: Parameters<TurnContext['ask']>[0]): ReturnType<TurnContext['ask']> => {
      signal.throwIfAborted()
      const id = newId('ask')
      const requested: DurableEventInit = { type: 'permission.requested', turnId, id, ...request, author: host.prompt.author }
      if (questions.isUnattended) {
        const reason = request.reserved
          ? `only the person at ${host.node} may allow this, and in this session nobody is asked`
          : 'nobody can answer in this session'
        await write([requested, { type: 'permission.answered', turnId, id, answer: 'deny', reason }])
        return { answer: 'deny', reason }
      }
      const waiting = { ...Promise.withResolvers<{ answer: PermissionAnswer }>(), reserved: request.reserved }
      const onAbort = (): void => waiting.reject(toAppError(signal.reason))
      waiting.promise.catch(() => {}) // it may be rejected while the request is being written
      open.set(id, waiting)
      signal.addEventListener('abort', onAbort)
      try {
        await write([requested])
        return await waiting.promise
      } finally {
        open.delete(id)
        signal.removeEventListener('abort', onAbort)
      }
    },
    answer: async (id: string, { answer, by }: { answer: PermissionAnswer; by: Author }): Promise<boolean> => {
      const waiting = open.get(id)
      if (!waiting) return false
      if (waiting.reserved && host.guestOf(by) !== undefined) {
        throw new AppError('forbidden', `only the person at ${host.node} may answer this question`, {
          hint: `on ${host.node}: qmtcode attach ${host.sessionId}`,
        })
      }
      await write([{ type: 'permission.answered', turnId, id, answer, by }])
      open.delete(id)
      waiting.resolve({ answer })
      return true
    },
  }
  return questions
}

/** What `work` comes to; once the signal is aborted it has `graceMs` left. */
async function untilEnd(signal: AbortSignal, graceMs: number, work: () => Promise<TurnOutcome>): Promise<Partial<TurnOutcome>> {
  const cut = Promise.withResolvers<Partial<TurnOutcome>>()
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    timer = setTimeout(() => cut.resolve({}), graceMs)
  }
  if (signal.aborted) return {}
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work(), cut.promise])
  } catch (error) {
    return { stopReason: 'failed', error: toWireError(error) }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** A turn that was aborted and did not complete ends as the abort says, whatever it failed with. */
function endOf({ stopReason = 'failed', usage, error }: Partial<TurnOutcome>, signal: AbortSignal): TurnEnd {
  if (!signal.aborted || stopReason === 'completed') return { stopReason, usage, error, because: error?.message ?? 'the turn has ended' }
  const reason = toAppError(signal.reason)
  return { stopReason: isAppError(reason, 'interrupted') ? 'interrupted' : 'cancelled', usage, because: reason.message }
}

function first(events: readonly DurableEvent[]): DurableEvent {
  const [event] = events
  if (!event) throw new AppError('internal', 'the log stored nothing')
  return event
}
