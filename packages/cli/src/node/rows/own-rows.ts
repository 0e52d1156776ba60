import { isAppError, toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, SessionId, SessionInfo, Sessions } from '@qmtcode/protocol'

/** The newest sessions of this node, kept true. */
export interface OwnRows {
  all(): readonly SessionInfo[]
  get(id: SessionId): SessionInfo | undefined
  /** Its log was written: looked at again, at most 4 times a second. */
  touch(id: SessionId): void
  /** Returns how to leave. */
  onChange(listener: (id: SessionId) => void): () => void
  /** Reads what is there. After the log's start. */
  start(sessions: Pick<Sessions, 'get' | 'list'>): Promise<void>
  stop(): Promise<void>
}

const MAX_ROWS = 1_000
const INTERVAL_MS = 250
/** Who follows a session is not written to its log. */
const FOLLOWERS_MS = 5_000
const PAGE = 200

export function createOwnRows(components: { clock: Clock; logger: Logger }): OwnRows {
  const { clock, logger } = components
  const rows = new Map<SessionId, SessionInfo>()
  const touched = new Set<SessionId>()
  const listeners = new Set<(id: SessionId) => void>()
  let port: Pick<Sessions, 'get' | 'list'> | undefined
  let timer: NodeJS.Timeout | undefined
  let polling: NodeJS.Timeout | undefined
  let lookedAt = 0
  let looking: Promise<void> | undefined
  let isStopped = false

  function put(row: SessionInfo): void {
    const known = rows.get(row.id)
    if (known && JSON.stringify(known) === JSON.stringify(row)) return
    rows.set(row.id, row)
    if (rows.size > MAX_ROWS) drop([...rows.values()].reduce((a, b) => (b.updatedAt < a.updatedAt ? b : a)).id)
    tell(row.id)
  }
  function drop(id: SessionId): void {
    if (rows.delete(id)) tell(id)
  }
  function tell(id: SessionId): void {
    for (const listener of listeners) listener(id)
  }
  async function look(sessions: Pick<Sessions, 'get'>): Promise<void> {
    lookedAt = clock.monotonic()
    const ids = [...touched] // what is touched meanwhile waits for the next look
    touched.clear()
    for (const id of ids) {
      try {
        put(await sessions.get(id))
      } catch (error) {
        if (isAppError(error, 'not_found')) drop(id)
        else if (!isStopped) logger.debug('a session was not looked at', { id, error: toAppError(error).message })
      }
    }
  }
  function schedule(): void {
    if (timer || looking || isStopped || !port || touched.size === 0) return
    const sessions = port
    const run = (): void => {
      timer = undefined
      looking = look(sessions).finally(() => {
        looking = undefined
        schedule()
      })
    }
    timer = setTimeout(run, Math.max(0, lookedAt + INTERVAL_MS - clock.monotonic()))
  }
  function touch(id: SessionId): void {
    touched.add(id)
    schedule()
  }
  return {
    all: () => [...rows.values()],
    get: (id) => rows.get(id),
    touch,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async start(sessions) {
      let cursor: string | undefined
      do {
        const page = await sessions.list({ cursor, limit: PAGE })
        for (const row of page.items) put(row)
        cursor = page.cursor
      } while (cursor !== undefined && rows.size < MAX_ROWS)
      port = sessions
      schedule()
      polling = setInterval(() => {
        for (const { id, state, followers } of rows.values())
          if (state !== 'closed' && (state !== 'idle' || followers.length > 0)) touch(id)
      }, FOLLOWERS_MS).unref()
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
      clearInterval(polling)
      await looking
    },
  }
}
