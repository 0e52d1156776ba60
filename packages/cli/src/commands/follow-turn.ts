import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { PromptId, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import type { TurnEnded } from '../output/turn-end.ts'
import type { CommandContext } from './context.ts'

export interface FollowTurnOptions {
  sessions: Sessions
  id: SessionId
  /** Events after this; 0: of a session that is new. */
  after: number
  /** Whose turn it is; absent: the next that ends. */
  promptId?: PromptId
  /** Starts the turn; what it throws ends the following. */
  begin(): Promise<void>
  /** Every event, in order; `ours`: of the turn that is followed. */
  show(event: SessionEvent, ours: boolean): Promise<void> | void
}

/** How long a cancelled turn may take to end before it is left alone. */
const CANCEL_GRACE_MS = 5_000

/**
 * Follows one turn to its end. An interrupt, or a reader of stdout that went away, cancels the turn; a second interrupt leaves at once.
 * Undefined: cancelled, and nothing more is to be heard.
 */
export async function followTurn(context: CommandContext, options: FollowTurnOptions): Promise<TurnEnded | undefined> {
  const stop = new AbortController()
  const beginning = createBeginning(options, stop)
  const cancelling = createCancelling(options, beginning, stop)
  using _ = context.interrupts.handle(cancelling.ask)
  context.out.gone.addEventListener('abort', cancelling.ask)
  try {
    return await readTurn(options, { beginning, cancelling, signal: stop.signal })
  } catch (error) {
    throw withSession(error, options.id)
  } finally {
    stop.abort()
    context.out.gone.removeEventListener('abort', cancelling.ask)
    cancelling.end()
  }
}

/** A link that breaks takes no session with it. */
function withSession(error: unknown, id: SessionId): unknown {
  if (!isAppError(error, 'link_lost') || error.hint !== undefined) return error
  const hint = `the session is kept: qmtcode sessions show ${id}; to go on with an interrupted turn: qmtcode sessions resume ${id}`
  return new AppError('link_lost', error.message, { cause: error, hint })
}

/** Starts the turn, once. A failure stops the following. */
interface Beginning {
  start(): void
  started(): Promise<void> | undefined
}

function createBeginning({ begin }: FollowTurnOptions, stop: AbortController): Beginning {
  let started: Promise<void> | undefined
  return {
    start: () => {
      started ??= begin().catch((error: unknown) => stop.abort(toAppError(error)))
    },
    started: () => started,
  }
}

interface Cancelling {
  /** The first time it cancels, then it stops waiting. */
  ask(): void
  asked(): boolean
  end(): void
}

function createCancelling({ sessions, id, promptId }: FollowTurnOptions, beginning: Beginning, stop: AbortController): Cancelling {
  let timer: NodeJS.Timeout | undefined
  let isAsked = false
  const cancel = async (): Promise<void> => {
    if (!stop.signal.aborted) await sessions.cancel(id, promptId)
  }
  return {
    ask: () => {
      const begun = beginning.started()
      const isFirst = !isAsked
      isAsked = true
      if (!isFirst || begun === undefined) return stop.abort()
      timer = setTimeout(() => stop.abort(), CANCEL_GRACE_MS)
      // What is cancelled must be there first.
      begun.then(cancel).catch((error: unknown) => stop.abort(toAppError(error)))
    },
    asked: () => isAsked,
    end: () => clearTimeout(timer),
  }
}

interface Reading {
  beginning: Beginning
  cancelling: Cancelling
  signal: AbortSignal
}

async function readTurn(options: FollowTurnOptions, { beginning, cancelling, signal }: Reading): Promise<TurnEnded | undefined> {
  const { sessions, id, after, promptId, show } = options
  let ours = promptId === undefined
  // From the last known event on, so that one comes at once: the following stands, and the turn begins without a lost delta.
  for await (const event of sessions.follow(id, { after: Math.max(0, after - 1), signal })) {
    beginning.start()
    if ('seq' in event && event.seq <= after) continue
    if (event.type === 'turn.started' && event.promptId === promptId) ours = true
    await show(event, ours)
    if (event.type === 'turn.ended' && ours) return event
    if (event.type === 'prompt.withdrawn' && event.promptId === promptId) return undefined
  }
  if (signal.reason instanceof AppError) throw signal.reason
  if (cancelling.asked()) return undefined
  throw new AppError('link_lost', `the events of ${id} ended before its turn`, { hint: `qmtcode sessions show ${id}` })
}
