import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, LIMITS, isDurable, newMessageId, newSessionId } from '@qmtcode/protocol'
import type { DurableEvent, LiveEvent, MessageId, SessionEvent } from '@qmtcode/protocol'
import { note } from '../log/log-kit.ts'
import { eventually } from '@qmtcode/testing'
import { createFeed } from './feed.ts'
import type { Feed } from './feed.ts'

const sessionId = newSessionId()
const delta = (messageId: MessageId, text: string, kind: 'text' | 'reasoning' = 'text'): LiveEvent => ({
  type: 'message.delta',
  sessionId,
  at: 0,
  turnId: 'turn_1',
  messageId,
  kind,
  text,
})

/** A feed over a log in memory. */
function startFeed(): { feed: Feed; write(messageId?: MessageId): void; reads: () => number } {
  const log: DurableEvent[] = []
  let reads = 0
  const feed = createFeed(
    async (after) => {
      reads += 1
      return log.slice(after, after + 100)
    },
    0,
    (present) => ({ type: 'presence.changed', sessionId, at: 0, present }),
  )
  const write = (messageId: MessageId = newMessageId()): void => {
    const event: DurableEvent = { ...note('done'), messageId, sessionId, at: 0, seq: log.length + 1 }
    log.push(event)
    feed.committed([event])
  }
  return { feed, write, reads: () => reads }
}

function follow(feed: Feed, after = 0): { events: AsyncGenerator<SessionEvent>; abort: AbortController } {
  const abort = new AbortController()
  return { events: feed.follow({ author: { node: 'test' }, after, signal: abort.signal }), abort }
}

async function take(events: AsyncGenerator<SessionEvent>, count: number): Promise<SessionEvent[]> {
  const seen: SessionEvent[] = []
  while (seen.length < count) {
    const next = await events.next()
    if (next.done) break
    seen.push(next.value)
  }
  return seen
}

const seqs = (events: readonly SessionEvent[]): number[] => events.filter(isDurable).map(({ seq }) => seq)

test('a follower that is too slow for the deltas gets a snapshot, and every durable event once', async () => {
  const { feed, write } = startFeed()
  write()
  const { events } = follow(feed)
  await take(events, 1)
  const messageId = newMessageId()
  const waiting = events.next()
  feed.publish(delta(messageId, 'a'))
  await waiting
  write()
  const kinds = ['text', 'reasoning'] as const
  for (let i = 0; i < 2 * LIMITS.followerBufferedDeltas + 10; i += 1) feed.publish(delta(messageId, 'x', kinds[i % 2]))
  write()
  const seen = await take(events, 3)
  assert.deepEqual(
    seen.map((event) => (isDurable(event) ? event.seq : event.type)),
    [2, 3, 'message.snapshot'],
  )
  const [, , snapshot] = seen
  assert.equal(snapshot?.type === 'message.snapshot' && snapshot.textSoFar, `a${'x'.repeat(LIMITS.followerBufferedDeltas + 5)}`)
  feed.publish(delta(messageId, 'y'))
  const [next] = await take(events, 1)
  assert.equal(next?.type === 'message.delta' && next.text, 'y')
})

test('unread deltas of a message are joined', async () => {
  const { feed } = startFeed()
  const { events } = follow(feed)
  const first = events.next()
  const messageId = newMessageId()
  feed.publish(delta(messageId, 'a'))
  assert.equal((await first).value?.type, 'message.delta')
  for (const text of ['b', 'c', 'd']) feed.publish(delta(messageId, text))
  const [joined] = await take(events, 1)
  assert.equal(joined?.type === 'message.delta' && joined.text, 'bcd')
})

test('durable events beyond a slow follower’s queue are read from the log again', async () => {
  const { feed, write, reads } = startFeed()
  const { events } = follow(feed)
  const first = events.next()
  write()
  await first
  for (let i = 0; i < 2_000; i += 1) write()
  assert.equal(reads(), 0)
  assert.deepEqual(
    seqs(await take(events, 2_000)),
    Array.from({ length: 2_000 }, (_, i) => i + 2),
  )
  assert.ok(reads() >= 20)
})

test('changes from the log to live without gap or repeat, while events keep coming', async () => {
  const { feed, write } = startFeed()
  for (let i = 0; i < 150; i += 1) write()
  const followers = Array.from({ length: 50 }, (_, i) => follow(feed, i))
  const seen = await Promise.all(
    followers.map(async ({ events }, i) => {
      const found: SessionEvent[] = []
      while (found.length < 300 - i) {
        found.push(...(await take(events, 1)))
        if (i === 0 && feed.head < 300) write()
      }
      return seqs(found)
    }),
  )
  for (const [i, found] of seen.entries())
    assert.deepEqual(
      found,
      Array.from({ length: 300 - i }, (_, j) => i + j + 1),
    )
  assert.deepEqual(
    feed.present().map(({ node }) => node),
    ['test'],
  )
  for (const { abort, events } of followers) {
    const last = events.next()
    abort.abort()
    assert.equal((await last).done, true)
  }
  assert.deepEqual(
    feed.present().map(({ node }) => node),
    [],
  )
})

test('events that arrive out of order are read from the log in order', async () => {
  const { feed, write } = startFeed()
  const { events } = follow(feed)
  const first = events.next()
  write()
  await first
  const ahead: DurableEvent = { ...note('ahead'), sessionId, at: 0, seq: 3 }
  feed.committed([ahead])
  write()
  write()
  assert.deepEqual(seqs(await take(events, 2)), [2, 3])
})

test('ends after what is queued, or at once with an error', async () => {
  const { feed, write } = startFeed()
  const { events } = follow(feed)
  const first = events.next()
  write()
  await first
  write()
  feed.end()
  assert.deepEqual(seqs(await take(events, 5)), [2])
  assert.deepEqual(seqs(await take(follow(feed).events, 5)), [1, 2])
})

test('a follower whose link broke counts as present until its grace is over; whoever is back before was never away', async () => {
  const { feed } = startFeed()
  const { events } = follow(feed)
  const told: string[][] = []
  const watching = (async () => {
    for await (const event of events) if (event.type === 'presence.changed') told.push(event.present.map(({ node }) => node))
  })()
  const here = () => feed.present().map(({ node }) => node)
  const guest = (heldMs: number) => {
    const abort = new AbortController()
    const items = feed.follow({ author: { node: 'guest' }, after: 0, signal: abort.signal, presenceHeldMs: () => heldMs })
    return { end: (reason: AppError) => abort.abort(reason), over: take(items, 99) }
  }
  const lost = new AppError('link_lost', 'the link broke')
  const first = guest(60_000)
  await eventually('it is told', () => told.length === 1)
  first.end(lost)
  await first.over
  assert.deepEqual(here(), ['guest', 'test'])
  const second = guest(1)
  await eventually('it is here again', () => here().length === 2)
  second.end(lost)
  await second.over
  await eventually('the grace is over', () => told.length === 2)
  const third = guest(60_000)
  await eventually('it comes', () => told.length === 3)
  third.end(new AppError('cancelled', 'the caller cancelled'))
  await third.over
  assert.deepEqual(here(), ['test'])
  await eventually('it left', () => told.length === 4)
  assert.deepEqual(told, [['guest', 'test'], ['test'], ['guest', 'test'], ['test']])
  feed.end()
  await watching
})
