import { AppError, toAppError } from '@qmtcode/protocol'
import type { PromptId, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import type { TurnEnded } from '../output/turn-end.ts'
import type { CommandContext } from './context.ts'

export interface FollowTurnOptions {
  sessions: Sessions
  id: SessionId
  /** Events after this. */
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
  // The turn begins beside the following, so that no live event is missed.
  const begun = options.begin().catch((error: unknown) => stop.abort(toAppError(error)))
  const cancelling = createCancelling(options, begun, stop)
  using _ = context.interrupts.handle(cancelling.ask)
  context.out.gone.addEventListener('abort', cancelling.ask)
  try {
    return await readTurn(options, cancelling, stop.signal)
  } finally {
    stop.abort()
    context.out.gone.removeEventListener('abort', cancelling.ask)
    await cancelling.settled()
  }
}

interface Cancelling {
  /** The first time it cancels, then it stops waiting. */
  ask(): void
  asked(): boolean
  /** The turn that is followed runs now: until then its prompt is withdrawn instead. */
  turnStarted(): void
  settled(): Promise<void>
}

function createCancelling({ sessions, id, promptId }: FollowTurnOptions, begun: Promise<void>, stop: AbortController): Cancelling {
  let timer: NodeJS.Timeout | undefined
  let request: Promise<void> | undefined
  let running = promptId === undefined
  const cancel = async (): Promise<void> => {
    await begun
    if (!stop.signal.aborted) await sessions.cancel(id, running ? undefined : promptId)
  }
  return {
    ask: () => {
      if (request) return stop.abort()
      timer = setTimeout(() => stop.abort(), CANCEL_GRACE_MS)
      request = cancel().catch((error: unknown) => stop.abort(toAppError(error)))
    },
    asked: () => request !== undefined,
    turnStarted: () => (running = true),
    settled: async () => {
      clearTimeout(timer)
      await begun
      await request
    },
  }
}

async function readTurn(options: FollowTurnOptions, cancelling: Cancelling, signal: AbortSignal): Promise<TurnEnded | undefined> {
  const { sessions, id, after, promptId, show } = options
  let ours = promptId === undefined
  for await (const event of sessions.follow(id, { after, signal })) {
    if (event.type === 'turn.started' && event.promptId === promptId) {
      ours = true
      cancelling.turnStarted()
    }
    await show(event, ours)
    if (event.type === 'turn.ended' && ours) return event
    if (event.type === 'prompt.withdrawn' && event.promptId === promptId) return undefined
  }
  if (signal.reason instanceof AppError) throw signal.reason
  if (cancelling.asked()) return undefined
  throw new AppError('link_lost', `the events of ${id} ended before its turn`, { hint: `qmtcode sessions show ${id}` })
}
