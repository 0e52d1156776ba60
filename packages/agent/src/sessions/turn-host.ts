import { AppError } from '@qmtcode/protocol'
import type { DurableEvent, DurableEventInit } from '@qmtcode/protocol'
import type { QueuedPrompt } from '../log/types.ts'
import type { Accounts, Payment } from './accounts.ts'
import type { HotSession } from './hot-sessions.ts'
import type { TurnHost } from './turn-types.ts'
import { guestOf } from './types.ts'
import type { SessionsComponents } from './types.ts'

const PAGE = 500

/** Writes on the account of an author, then tells the followers; `onStored` runs between the two. */
export type Append = (session: HotSession, events: readonly DurableEventInit[], options: AppendOptions) => Promise<DurableEvent[]>

interface AppendOptions extends Omit<Payment, 'session'> {
  onStored?(): void
}

/** What a turn of `session` writes to, and what it starts from. */
export function createTurnHost(
  { append, accounts, components, graceMs }: { append: Append; accounts: Accounts; components: SessionsComponents; graceMs: number },
  session: HotSession,
  prompt: QueuedPrompt,
): TurnHost {
  const { clock, runTurn, node, log } = components
  const { author } = prompt
  return {
    sessionId: session.id,
    prompt,
    runTurn,
    start: (event) => append(session, [event], { author, use: 'end' }), // whether there is room for the turn is asked in `load`
    append: (events) => append(session, events, { author, use: 'turn' }),
    publish: (event) => session.feed.publish({ ...event, sessionId: session.id, at: clock.now() }),
    load: async (seq) => {
      accounts.assertContext(author, session)
      return await loadTurn(components, session, seq)
    },
    assertMay: async (author, use) => {
      const row = components.assertMay && (await log.session(session.id))
      if (row) await components.assertMay?.(author, use, row)
    },
    end: async (events, stopReason) => {
      const onEnd = (): void => {
        session.turn = undefined // before anybody hears of the end and acts on it
        session.isHeld ||= stopReason === 'interrupted'
      }
      try {
        await append(session, events, { author, use: 'end', onStored: onEnd })
      } catch (error) {
        onEnd()
        session.debt.push(...events)
        throw error
      }
    },
    leave: () => {
      session.turn = undefined
      session.isHeld = true
    },
    guestOf: (author) => guestOf(author, node),
    node: node.name,
    graceMs,
  }
}

async function loadTurn({ log, agents }: SessionsComponents, { id }: HotSession, head: number): ReturnType<TurnHost['load']> {
  const row = await log.session(id)
  if (!row) throw new AppError('not_found', `no session ${id}`)
  const agent = agents.get(row.agent)
  if (!agent) {
    throw new AppError('not_found', `agent ${row.agent} of this session is not configured here`, { hint: 'see: qmtcode agents' })
  }
  const events: DurableEvent[] = []
  while (events.length < head) {
    const page = await log.read(id, { after: events.length, limit: Math.min(PAGE, head - events.length) })
    if (page.length === 0) break
    events.push(...page)
  }
  return { row, events, agent }
}
