import type { EventLog } from '@qmtcode/agent'
import { createBell } from '@qmtcode/protocol'
import type { DurableEventInit, SessionId } from '@qmtcode/protocol'
import type { ReservedChange, ReservedQuestion } from '../node-handle.ts'

/** The questions that only this node's own person may answer, over all sessions: seen in what is written to the log. */
export interface ReservedQuestions {
  /** `log`, watched. */
  log: EventLog
  /** Finds those that were open when the node stopped. After the log's start. */
  begin(): Promise<void>
  /** Those that are open, then each change, until `signal` aborts. */
  follow(signal?: AbortSignal): AsyncIterable<ReservedChange>
}

const PAGE = 200

export function watchReservedQuestions(log: EventLog): ReservedQuestions {
  const open = new Map<string, ReservedQuestion>()
  const bell = createBell()

  function observe(sessionId: SessionId, events: readonly DurableEventInit[]): void {
    for (const event of events) {
      if (event.type === 'permission.answered') open.delete(event.id)
      if (event.type !== 'permission.requested' || event.reserved !== true) continue
      const { id, tool, summary, author } = event
      open.set(id, { sessionId, id, tool, summary, author })
    }
    bell.ring()
  }
  function forget(sessionId: SessionId): void {
    for (const [id, question] of open) if (question.sessionId === sessionId) open.delete(id)
    bell.ring()
  }
  return {
    log: {
      ...log,
      append: async (id, events, charge) => {
        const stored = await log.append(id, events, charge)
        if (events.some(({ type }) => type.startsWith('permission.'))) observe(id, events)
        return stored
      },
      remove: async (id) => {
        const freed = await log.remove(id)
        forget(id)
        return freed
      },
    },
    begin: async () => {
      for (const id of await waitingSessions(log)) observe(id, await eventsOfLastTurn(log, id))
    },
    follow: (signal = new AbortController().signal) => changes(open, bell, signal),
  }
}

async function* changes(
  open: ReadonlyMap<string, ReservedQuestion>,
  bell: ReturnType<typeof createBell>,
  signal: AbortSignal,
): AsyncGenerator<ReservedChange> {
  const told = new Map<string, ReservedQuestion>()
  while (!signal.aborted) {
    const heard = bell.heard({ signal })
    for (const question of open.values()) {
      if (told.has(question.id)) continue
      told.set(question.id, question)
      yield { type: 'asked', question }
    }
    for (const question of told.values()) {
      if (open.has(question.id)) continue
      told.delete(question.id)
      yield { type: 'settled', question }
    }
    await heard
  }
}

async function waitingSessions(log: EventLog): Promise<SessionId[]> {
  const found: SessionId[] = []
  for (let before: number | undefined; ;) {
    const { rows, next } = await log.list({ before, limit: PAGE })
    found.push(...rows.filter(({ state }) => state === 'waiting').map(({ id }) => id))
    if (next === undefined) return found
    before = next
  }
}

async function eventsOfLastTurn(log: EventLog, id: SessionId): Promise<DurableEventInit[]> {
  const events: DurableEventInit[] = []
  for (let before = Number.MAX_SAFE_INTEGER; ;) {
    const page = await log.readBack(id, { before, limit: PAGE })
    events.unshift(...page.events)
    const [first] = page.events
    if (!first || !page.more || page.events.some(({ type }) => type === 'turn.started')) return events
    before = first.seq
  }
}
