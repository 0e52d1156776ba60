import { LIMITS, isDurable } from '@qmtcode/protocol'
import type { Author, LiveEvent, SessionEvent } from '@qmtcode/protocol'
import { keyOf } from './presence.ts'

const QUEUED_CHARS = 1_048_576 // of deltas, a follower
const QUEUED_DURABLE = 256 // beyond, reading them from the log is as fast

/** One who follows: at most so much waits for it, then it is behind and reads the log. */
export interface Follower {
  author: Author
  /** Who is present, as it knows: at first only itself. A key of `Presence`. */
  knows: string
  /** Behind: false; its queue is empty then. */
  isLive: boolean
  queue: SessionEvent[]
  queuedChars: number
  queuedDurable: number
  wake: () => void
}

export const newFollower = (author: Author): Follower => ({
  author,
  knows: keyOf(author),
  isLive: false,
  queue: [],
  queuedChars: 0,
  queuedDurable: 0,
  wake: () => {},
})

export function takeQueue(follower: Follower): SessionEvent[] {
  const { queue } = follower
  follower.queue = []
  follower.queuedChars = 0
  follower.queuedDurable = 0
  return queue
}

export function fallBehind(follower: Follower): void {
  takeQueue(follower)
  follower.isLive = false
  follower.wake()
}

export function enqueue(follower: Follower, event: SessionEvent): void {
  if (isDurable(event)) follower.queuedDurable += 1
  else if (event.type === 'message.delta') {
    follower.queuedChars += event.text.length
    if (joined(follower.queue, event)) return
  }
  const isFull =
    follower.queue.push(event) > LIMITS.followerBufferedDeltas ||
    follower.queuedDurable > QUEUED_DURABLE ||
    follower.queuedChars > QUEUED_CHARS
  if (isFull) fallBehind(follower)
  else follower.wake()
}

/** Joins a delta to the one before it that nobody has read yet. */
function joined(queue: SessionEvent[], delta: Extract<LiveEvent, { type: 'message.delta' }>): boolean {
  const last = queue.at(-1)
  if (last?.type !== 'message.delta' || last.messageId !== delta.messageId || last.kind !== delta.kind) return false
  queue[queue.length - 1] = { ...last, at: delta.at, text: last.text + delta.text }
  return true
}
