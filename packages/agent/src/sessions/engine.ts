import { AppError } from '@qmtcode/protocol'
import type { SessionId } from '@qmtcode/protocol'
import type { QueuedPrompt } from '../log/types.ts'
import { createAccounts } from './accounts.ts'
import type { AccountLimits, Accounts } from './accounts.ts'
import { createHotSessions } from './hot-sessions.ts'
import type { HotSession, HotSessions } from './hot-sessions.ts'
import { startTurn } from './running-turn.ts'
import type { RunningTurn } from './running-turn.ts'
import { createTurnHost } from './turn-host.ts'
import type { Append } from './turn-host.ts'
import type { ReopenedTurn } from './turn-types.ts'
import type { SessionsComponents } from './types.ts'

/** Queue, turns and log of all sessions; commands of one session run one after the other. */
export interface Engine {
  readonly hot: HotSessions
  readonly accounts: Accounts
  /** Throws not_found, or interrupted once the node stops. */
  command<T>(id: SessionId, work: (session: HotSession) => Promise<T>): Promise<T>
  append: Append
  /** Starts the next prompt if nothing is in its way. */
  pump(session: HotSession): void
  /** Starts a turn now; `again` when its prompt is no longer in the queue: it continues an interrupted one, or is one that waited for an answer. */
  begin(session: HotSession, prompt: QueuedPrompt, again?: 'again' | ReopenedTurn): void
  assertRunning(): void
  stop(): Promise<void>
}

const DEFAULT_GRACE_MS = 10_000

export function createEngine(components: SessionsComponents, options: { cancelGraceMs?: number; limits?: Partial<AccountLimits> }): Engine {
  const { log, logger } = components
  const hot = createHotSessions(components)
  const accounts = createAccounts({ log, hot, node: components.node }, options.limits)
  const turns = new Set<Promise<void>>()
  let isStopping = false

  const engine: Engine = {
    hot,
    accounts,
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
    append: async (session, events, { onStored, ...payment }) => {
      const { debt } = session
      session.debt = []
      try {
        const stored = await accounts.charged({ ...payment, session }, (charge) => log.append(session.id, [...debt, ...events], charge))
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
    begin: (session, prompt, again) => {
      const host = createTurnHost(
        { append: engine.append, accounts, components, graceMs: options.cancelGraceMs ?? DEFAULT_GRACE_MS },
        session,
        prompt,
      )
      const turn = startTurn(host, again === 'again' ? undefined : again)
      session.turn = turn
      turn.done.catch(() => {}) // isWritten deals with it, a moment later
      const ended = hot.use(session.id, async () => {
        if (await isWritten(session, turn)) return engine.pump(session)
        if (session.turn && session.turn !== turn) return // a command has gone on already
        session.isHeld = true
        if (!session.turn) return // it has ended; its end is in debt
        session.turn = undefined
        if (!again) session.queue.unshift(prompt)
      })
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

  /** False when the turn's start or end could not: then the queue waits, for a command that finds the log writable again. */
  const isWritten = async (session: HotSession, { done }: RunningTurn): Promise<boolean> => {
    try {
      await done
      return true
    } catch (error) {
      logger.error('a turn could not be written to the log', { sessionId: session.id, error })
      return false
    }
  }
  return engine
}
