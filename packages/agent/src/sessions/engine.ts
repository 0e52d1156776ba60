import { AppError } from '@qmtcode/protocol'
import type { DurableEvent, DurableEventInit, SessionId } from '@qmtcode/protocol'
import type { QueuedPrompt } from '../log/types.ts'
import { createHotSessions } from './hot-sessions.ts'
import type { HotSession, HotSessions } from './hot-sessions.ts'
import { startTurn } from './running-turn.ts'
import type { TurnHost } from './running-turn.ts'
import type { SessionsComponents } from './types.ts'

/** Queue, turns and log of all sessions; commands of one session run one after the other. */
export interface Engine {
  readonly hot: HotSessions
  /** Throws not_found, or interrupted once the node stops. */
  command<T>(id: SessionId, work: (session: HotSession) => Promise<T>): Promise<T>
  /** Writes, then tells the followers; `onStored` runs between the two. */
  append(session: HotSession, events: readonly DurableEventInit[], onStored?: () => void): Promise<DurableEvent[]>
  /** Starts the next prompt if nothing is in its way. */
  pump(session: HotSession): void
  begin(session: HotSession, prompt: QueuedPrompt): void
  assertRunning(): void
  stop(): Promise<void>
}

const PAGE = 500
const DEFAULT_GRACE_MS = 10_000

export function createEngine(components: SessionsComponents, options: { cancelGraceMs?: number }): Engine {
  const { log, logger, clock, runTurn } = components
  const hot = createHotSessions(log)
  const turns = new Set<Promise<void>>()
  let isStopping = false

  const engine: Engine = {
    hot,
    assertRunning: () => {
      if (isStopping) throw new AppError('interrupted', 'this node is stopping')
    },
    command: async (id, work) => {
      engine.assertRunning()
      return await hot.use(id, (session) => {
        const result = session.commands.then(async () => {
          engine.assertRunning()
          if (session.isDeleted) throw new AppError('not_found', `session ${id} was deleted`)
          return await work(session)
        })
        session.commands = result.catch(() => {})
        return result
      })
    },
    append: async (session, events, onStored) => {
      const { debt } = session
      session.debt = []
      try {
        const stored = await log.append(session.id, [...debt, ...events])
        onStored?.()
        session.feed.committed(stored)
        return stored.slice(debt.length)
      } catch (error) {
        session.debt = [...debt, ...session.debt]
        throw error
      }
    },
    pump: (session) => {
      if (isStopping || session.turn || session.isHeld || session.isDeleted) return
      const next = session.queue.shift()
      if (next) engine.begin(session, next)
    },
    begin: (session, prompt) => {
      const turn = startTurn(hostFor(session, prompt))
      session.turn = turn
      turn.done.catch(() => {}) // afterTurn deals with it, a moment later
      const ended = hot.use(session.id, async () => await afterTurn(session, prompt, turn.done))
      turns.add(ended)
      ended.finally(() => turns.delete(ended)).catch((error: unknown) => logger.error('a turn was lost', { sessionId: session.id, error }))
    },
    stop: async () => {
      isStopping = true
      await Promise.all(hot.all().map(({ commands }) => commands))
      for (const { turn } of hot.all()) turn?.abort(new AppError('interrupted', 'this node is stopping'))
      await Promise.allSettled(turns)
      for (const { feed } of hot.all()) feed.end()
    },
  }

  const hostFor = (session: HotSession, prompt: QueuedPrompt): TurnHost => ({
    sessionId: session.id,
    prompt,
    runTurn,
    append: (events) => engine.append(session, events),
    publish: (event) => session.feed.publish({ ...event, sessionId: session.id, at: clock.now() }),
    load: () => loadTurn(components, session),
    end: async (events, stopReason) => {
      const onEnd = (): void => {
        session.turn = undefined // before anybody hears of the end and acts on it
        session.isHeld ||= stopReason === 'interrupted'
      }
      try {
        await engine.append(session, events, onEnd)
      } catch (error) {
        onEnd()
        session.debt.push(...events)
        throw error
      }
    },
    graceMs: options.cancelGraceMs ?? DEFAULT_GRACE_MS,
  })

  /** A turn whose start could not be written is still the first of the queue; one whose end could not, holds it. */
  const afterTurn = async (session: HotSession, prompt: QueuedPrompt, done: Promise<void>): Promise<void> => {
    try {
      await done
    } catch (error) {
      logger.error('a turn could not be written to the log', { sessionId: session.id, error })
      if (session.turn) session.queue.unshift(prompt)
      session.turn = undefined
      session.isHeld = true
    }
    engine.pump(session)
  }
  return engine
}

async function loadTurn({ log, agents }: SessionsComponents, { id }: HotSession): ReturnType<TurnHost['load']> {
  const row = await log.session(id)
  if (!row) throw new AppError('not_found', `no session ${id}`)
  const agent = agents.get(row.agent)
  if (!agent) {
    throw new AppError('not_found', `agent ${row.agent} of this session is not configured here`, { hint: 'see: qmtcode agents' })
  }
  const events: DurableEvent[] = []
  while (events.length < row.seq) {
    const page = await log.read(id, { after: events.length, limit: PAGE })
    if (page.length === 0) break
    events.push(...page)
  }
  return { row, events, agent }
}
