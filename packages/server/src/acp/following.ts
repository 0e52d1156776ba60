import { AppError, isDurable } from '@qmtcode/protocol'
import type { SessionEvent, SessionInfo } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'

/** A session's events, each shown once and one after the other. */
export interface Following {
  /** Resolves when all up to the head has been shown and what comes is followed. Follows again where the events had ended. */
  ready(): Promise<void>
  stop(): Promise<void>
}

export interface FollowingComponents {
  sessions: AcpSessions
  info: SessionInfo
  /** Ends it too. */
  gone: AbortSignal
  /** `isHistory`: it was there before. */
  show(event: SessionEvent, isHistory: boolean): Promise<void>
  /** The head is reached. */
  onHead(): void
  /** The events ended though they are wanted. */
  onLost(error: unknown): void
}

/** `after`: the last event that is known already. */
export function createFollowing(components: FollowingComponents, { after }: { after: number }): Following {
  const { sessions, info, gone, show, onHead, onLost } = components
  const stopped = new AbortController()
  const signal = AbortSignal.any([stopped.signal, gone])
  let shownSeq = after
  let current: { ready: Promise<void>; done: Promise<void> } | undefined

  const readAll = async (head: number, reached: () => void): Promise<void> => {
    // From before the head on, so that an event comes at once: then the following stands, and no delta of a turn is missed.
    const from = Math.max(0, Math.min(shownSeq, head - 1))
    for await (const event of sessions.follow(info.id, { after: from, signal })) {
      if (!isDurable(event)) await show(event, false)
      else if (event.seq > shownSeq) {
        shownSeq = event.seq
        await show(event, event.seq <= head)
      }
      if (isDurable(event) && event.seq >= head) reached()
    }
    throw new AppError('link_lost', `the events of ${info.id} ended`)
  }
  const begin = (): NonNullable<typeof current> => {
    const reached = Promise.withResolvers<void>()
    const ready = reached.promise.then(onHead)
    ready.catch(() => {}) // those who wait for it hear of it
    const done = readAll(Math.max(1, shownSeq, info.seq), reached.resolve).catch((error: unknown) => {
      current = undefined
      reached.reject(error)
      if (!signal.aborted) onLost(error)
    })
    return { ready, done }
  }
  return {
    ready: () => {
      if (signal.aborted) return Promise.reject(new AppError('cancelled', `session ${info.id} was closed`))
      return (current ??= begin()).ready
    },
    stop: async () => {
      stopped.abort()
      await current?.done
    },
  }
}
