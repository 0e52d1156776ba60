import { AppError, isAppError, isDurable } from '@qmtcode/protocol'
import type { Author, DurableEvent, LiveEvent, SessionEvent } from '@qmtcode/protocol'
import { createDrafts } from './drafts.ts'
import { enqueue, fallBehind, newFollower, takeQueue } from './follower.ts'
import type { Follower } from './follower.ts'
import { createPresence } from './presence.ts'

/**
 * One session's events to its followers. It keeps no history: a follower that is behind, because it has just come or is too slow,
 * reads pages of the log; at the head it is live and has a bounded queue. A queue that is full is thrown away, and its follower reads
 * the log again: durable events come exactly once either way, deltas are replaced by a snapshot.
 */
export interface Feed {
  readonly head: number
  /** In the order of the log. */
  committed(events: readonly DurableEvent[]): void
  publish(event: LiveEvent): void
  follow(options: FollowOptions): AsyncGenerator<SessionEvent>
  /** Those who follow, once each. */
  present(): Author[]
  /** Ends every follower, now and later: cleanly, after what it has queued, or with an error. */
  end(error?: AppError): void
}

interface FollowOptions {
  author: Author
  after: number
  signal: AbortSignal
  /** How long its author counts as present after the link to it broke; asked when it does. Default: not at all. */
  presenceHeldMs?(): number
}

const isLost = ({ aborted, reason }: AbortSignal): boolean => aborted && isAppError(reason, 'link_lost')

/** A page of the log after a seq. */
export type ReadPage = (after: number) => Promise<DurableEvent[]>

/** How the session tells who is present. */
export type TellPresence = (present: Author[]) => LiveEvent

export function createFeed(readPage: ReadPage, head: number, tellPresence: TellPresence): Feed {
  const followers = new Set<Follower>()
  const drafts = createDrafts()
  const presence = createPresence(() => {
    for (const follower of followers) if (follower.isLive) for (const event of unknownPresence(follower)) enqueue(follower, event)
  })
  let ended: { error?: AppError } | undefined

  const feed = {
    head,
    committed: (events: readonly DurableEvent[]) => {
      for (const event of events) {
        const follows = event.seq === feed.head + 1
        feed.head = event.seq
        drafts.observe(event)
        for (const follower of followers) if (follower.isLive) (follows ? enqueue : fallBehind)(follower, event)
      }
    },
    publish: (event: LiveEvent) => {
      drafts.observe(event)
      for (const follower of followers) if (follower.isLive) enqueue(follower, event)
    },
    present: presence.list,
    end: (error?: AppError) => {
      ended ??= { error }
      presence.stop()
      for (const follower of followers) follower.wake()
    },
    follow: run,
  }

  /** What is new to a follower of who is present. Its own coming is none, and it is told of nobody who left before it looked. */
  function unknownPresence(follower: Follower): LiveEvent[] {
    const { key } = presence
    if (follower.knows === key) return []
    follower.knows = key
    return [tellPresence(presence.list())]
  }

  async function* run({ author, after, signal, presenceHeldMs = () => 0 }: FollowOptions): AsyncGenerator<SessionEvent> {
    if (!Number.isSafeInteger(after) || after < 0 || after > feed.head) {
      throw new AppError('bad_request', `cannot follow after ${after}: the session's last event is ${feed.head}`)
    }
    const follower = newFollower(author)
    const onAbort = (): void => follower.wake()
    followers.add(follower)
    presence.join(author)
    signal.addEventListener('abort', onAbort)
    let cursor = after
    try {
      while (!signal.aborted) {
        const batch = await nextBatch(follower, cursor)
        if (batch === undefined) return
        for (const event of batch) {
          if (isDurable(event)) cursor = event.seq
          yield event
          if (signal.aborted) return
        }
      }
    } finally {
      followers.delete(follower)
      presence.leave(author, !ended && isLost(signal) ? presenceHeldMs() : 0)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** What comes next for a follower at `cursor`; undefined at the end. May be empty: look again. */
  async function nextBatch(follower: Follower, cursor: number): Promise<readonly SessionEvent[] | undefined> {
    if (ended?.error) throw ended.error
    if (follower.queue.length > 0) return takeQueue(follower)
    if (!follower.isLive) {
      if (cursor < feed.head) return await pageAfter(cursor)
      follower.isLive = true // and from here on, without a pause, everything is queued
      return [...unknownPresence(follower), ...drafts.snapshots()]
    }
    if (ended) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    follower.wake = resolve
    await promise
    return []
  }

  async function pageAfter(cursor: number): Promise<DurableEvent[] | undefined> {
    try {
      const page = await readPage(cursor)
      if (page.length === 0) throw new AppError('internal', `the log ends before event ${feed.head}`)
      return page
    } catch (error) {
      if (!ended) throw error
      if (ended.error) throw ended.error
      return undefined // the log may be closed by now
    }
  }
  return feed
}
