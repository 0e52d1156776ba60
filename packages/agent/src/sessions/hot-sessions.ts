import { AppError } from '@qmtcode/protocol'
import type { Clock, DurableEventInit, SessionId } from '@qmtcode/protocol'
import type { EventLog, QueuedPrompt } from '../log/types.ts'
import { createFeed } from './feed.ts'
import type { Feed, TellPresence } from './feed.ts'
import type { RunningTurn } from './running-turn.ts'

/** What memory holds of a session while somebody uses it: no events. */
export interface HotSession {
  readonly id: SessionId
  readonly feed: Feed
  /** Of all its events. */
  bytes: number
  /** Prompts that wait, the oldest first. */
  queue: QueuedPrompt[]
  /** The queue waits: an interrupted turn is ahead of it, or the log could not be written. */
  isHeld: boolean
  turn?: RunningTurn
  /** Events that could not be written when they were due; they go ahead of the next ones. */
  debt: DurableEventInit[]
  isDeleted: boolean
  /** The last command; the next one waits for it. */
  commands: Promise<unknown>
}

/** Sessions in use, loaded once and dropped when the last user lets go. */
export interface HotSessions {
  /** Throws not_found. */
  use<T>(id: SessionId, work: (session: HotSession) => Promise<T>): Promise<T>
  /** As `use`, with an end that is the caller's. */
  hold(id: SessionId): Promise<{ session: HotSession } & Disposable>
  peek(id: SessionId): HotSession | undefined
  all(): HotSession[]
}

const PAGE = 500

interface Entry {
  users: number
  loading: Promise<HotSession>
  session?: HotSession
}

export function createHotSessions({ log, clock }: { log: EventLog; clock: Pick<Clock, 'now'> }): HotSessions {
  const entries = new Map<SessionId, Entry>()

  const load = async (id: SessionId): Promise<HotSession> => {
    const row = await log.session(id)
    if (!row) throw new AppError('not_found', `no session ${id}`, { hint: 'see: qmtcode sessions' })
    const tellPresence: TellPresence = (present) => ({ type: 'presence.changed', sessionId: id, at: clock.now(), present })
    const feed = createFeed((after) => log.read(id, { after, limit: PAGE }), row.seq, tellPresence)
    const queue = row.state === 'closed' ? [] : await log.queued(id)
    const state = { isHeld: row.interrupted !== undefined, debt: [], isDeleted: false, commands: Promise.resolve() }
    return { id, feed, bytes: row.bytes, queue, ...state }
  }
  const enter = (id: SessionId): Entry => {
    const found = entries.get(id)
    if (found) return found
    const entry: Entry = { users: 0, loading: load(id) }
    entries.set(id, entry)
    return entry
  }
  const leave = (id: SessionId, entry: Entry): void => {
    entry.users -= 1
    if (entry.users > 0 || entries.get(id) !== entry) return
    const { queue, debt } = entry.session ?? { queue: [], debt: [] }
    if (queue.length + debt.length === 0) entries.delete(id)
  }
  const hold = async (id: SessionId): Promise<{ session: HotSession } & Disposable> => {
    const entry = enter(id)
    entry.users += 1
    let isHeld = true
    const release = (): void => {
      if (isHeld) leave(id, entry)
      isHeld = false
    }
    try {
      entry.session = await entry.loading
      return { session: entry.session, [Symbol.dispose]: release }
    } catch (error) {
      release()
      throw error
    }
  }
  return {
    hold,
    use: async (id, work) => {
      using held = await hold(id)
      return await work(held.session)
    },
    peek: (id) => entries.get(id)?.session,
    all: () => [...entries.values()].flatMap(({ session }) => (session ? [session] : [])),
  }
}
