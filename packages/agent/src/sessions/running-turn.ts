import { AppError, isAppError, newId, toAppError, toWireError } from '@qmtcode/protocol'
import type { Author, DurableEvent, DurableEventInit, PromptId } from '@qmtcode/protocol'
import type { TurnContext, TurnOutcome } from '../turn/types.ts'
import { createLedger } from './ledger.ts'
import type { TurnEnd } from './ledger.ts'
import { createOpenQuestions } from './open-questions.ts'
import type { OpenQuestions } from './open-questions.ts'
import type { ReopenedTurn, TurnHost } from './turn-types.ts'

/** A turn from `turn.started` to `turn.ended`, whatever RunTurn does. */
export interface RunningTurn {
  readonly promptId: PromptId
  /** Whose prompt it is. */
  readonly author: Author
  /**
   * `cancelled` by a person, `interrupted` by the node's stop, or what says that it may not run any more. The first one counts.
   * A stop does not end a turn that waits for an answer: it is left as it is, for the next start to reopen.
   */
  abort(reason: AppError): void
  /** Ends the turn if its prompt may not run any more. Never rejects. */
  judgeAgain(): Promise<void>
  readonly answer: OpenQuestions['answer']
  readonly kindOf: OpenQuestions['kindOf']
  /** Resolves after the last event is written; rejects when it could not be. */
  done: Promise<void>
}

export function startTurn(host: TurnHost, { turnId, events: earlier }: ReopenedTurn = { turnId: newId('turn'), events: [] }): RunningTurn {
  const { promptId, author } = host.prompt
  const controller = new AbortController()
  const writer = createTurnWriter(host, { turnId, earlier })
  const questions = createOpenQuestions(host, { turnId, write: writer.write, signal: controller.signal, earlier })
  let isLeft = false

  const run = async (): Promise<void> => {
    const head = earlier.at(-1) ?? first(await host.start({ type: 'turn.started', turnId, promptId }))
    await judgeAgain()
    const outcome = await untilEnd(controller.signal, host.graceMs, async () => {
      const { row, events, agent } = await host.load(head.seq)
      controller.signal.throwIfAborted()
      questions.isUnattended = row.unattended
      const { model, mode } = host.prompt.settings ?? row
      return await host.runTurn({
        sessionId: host.sessionId,
        turnId,
        promptId,
        agent,
        model,
        mode,
        workspace: row.workspace,
        author: host.prompt.author,
        guest: host.guestOf(host.prompt.author) ?? host.guestOf(row.author),
        isGuest: (author) => host.guestOf(author) !== undefined,
        allow: row.allow,
        events,
        append: async (event) => first(await writer.write([event])),
        publish: writer.publish,
        ask: questions.ask,
        question: questions.question,
        assertAllowed,
        mayAnswer: (by) =>
          host.assertMay(by, 'answer').then(
            () => true,
            () => false,
          ),
        signal: controller.signal,
      })
    })
    await writer.close()
    if (isLeft) return host.leave()
    const end = endOf(outcome, controller.signal)
    await host.end(writer.closing(end), end.stopReason)
  }
  const abort = (reason: AppError): void => {
    if (!controller.signal.aborted && isAppError(reason, 'interrupted') && questions.isWaiting()) {
      isLeft = true
      writer.seal() // before anything hears of it and ends what it has begun
    }
    controller.abort(reason)
  }
  const assertAllowed = async (): Promise<void> => {
    try {
      await host.assertMay(author, 'prompt')
    } catch (error) {
      abort(toAppError(error))
    }
    controller.signal.throwIfAborted()
  }
  const judgeAgain = async (): Promise<void> => await assertAllowed().catch(() => {})
  return { promptId, author, abort, judgeAgain, answer: questions.answer, kindOf: questions.kindOf, done: run() }
}

/** Nothing is written or published through it once it is closed, however long a tool clings to its turn. */
function createTurnWriter(host: TurnHost, { turnId, earlier }: { turnId: string; earlier: readonly DurableEvent[] }) {
  const ledger = createLedger({ turnId, promptId: host.prompt.promptId })
  for (const event of earlier) ledger.observe(event)
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
    seal: (): void => {
      isOver = true
    },
    close: async (): Promise<void> => {
      isOver = true
      await Promise.allSettled(inFlight)
    },
    closing: ledger.closing,
  }
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

/** A turn that was cancelled ends so, also where its last words were under way already. One that did not complete ends as another abort says, whatever it failed with. */
function endOf({ stopReason = 'failed', usage, error }: Partial<TurnOutcome>, signal: AbortSignal): TurnEnd {
  const isCancelled = signal.aborted && isAppError(signal.reason, 'cancelled')
  if (!signal.aborted || (stopReason === 'completed' && !isCancelled))
    return { stopReason, usage, error, because: error?.message ?? 'the turn has ended' }
  const reason = toAppError(signal.reason)
  const because = reason.message
  if (isAppError(reason, 'interrupted')) return { stopReason: 'interrupted', usage, because }
  if (isCancelled) return { stopReason: 'cancelled', usage, because }
  return { stopReason: 'failed', usage, error: toWireError(reason), because }
}

function first(events: readonly DurableEvent[]): DurableEvent {
  const [event] = events
  if (!event) throw new AppError('internal', 'the log stored nothing')
  return event
}
