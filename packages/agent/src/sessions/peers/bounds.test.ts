import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError, newPromptId } from '@qmtcode/protocol'
import type { Sessions } from '@qmtcode/protocol'
import type { RunTurn } from '../../turn/types.ts'
import { ALICE, BOB, startPeersKit, tell } from './peers-kit.ts'

/** A turn that ends when it is cancelled. */
const lasting: RunTurn = async ({ signal }) => {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  return { stopReason: 'cancelled', usage: { inputTokens: 0, outputTokens: 0 } }
}

const hasHint = (code: 'busy' | 'rate_limited') => (error: unknown) => isAppError(error, code) && (error.hint ?? '') !== ''

test('a peer has so many sessions, and a deleted one makes room', async () => {
  await using kit = await startPeersKit(undefined, { peerSessions: 3 })
  const alice = kit.peer(ALICE)
  const made = [await alice.create({}), await alice.create({})]
  const racing = await Promise.allSettled([alice.create({}), alice.create({})])
  assert.ok(racing.filter(({ status }) => status === 'fulfilled').length <= 1)
  if (racing.every(({ status }) => status === 'rejected')) await alice.create({})
  await assert.rejects(alice.create({}), hasHint('busy'))
  await kit.peer(BOB).create({})
  await kit.host.create({})
  if (made[0]) await alice.delete(made[0].id)
  await alice.create({})
})

test('so many prompts of one peer, and of all peers, wait or run; a repeat is none', async () => {
  await using kit = await startPeersKit(lasting, { peerPrompts: 2, peersPrompts: 3 })
  const [alice, bob] = [kit.peer(ALICE), kit.peer(BOB)]
  const [one, two, his] = [await alice.create({}), await alice.create({}), await bob.create({})]
  const first = await tell(alice, one.id, 'runs')
  await tell(alice, one.id, 'waits')
  await assert.rejects(tell(alice, two.id, 'too many'), hasHint('busy'))
  const content = [{ type: 'text' as const, text: 'runs' }]
  assert.deepEqual(await alice.prompt(one.id, { promptId: first.promptId, content }), first)
  await tell(bob, his.id, 'runs')
  await assert.rejects(tell(bob, his.id, 'all peers have three'), hasHint('busy'))
  await tell(kit.host, one.id, 'the person here is not bounded')
  await alice.cancel(one.id, first.promptId)
  await tell(alice, two.id, 'now')
})

test('so many prompts a minute, with the time until the next', async () => {
  await using kit = await startPeersKit(undefined, { peerPromptsAMinute: 3 })
  const alice = kit.peer(ALICE)
  const { id } = await alice.create({})
  await tell(alice, id, 'one')
  await tell(alice, id, 'two')
  await assert.rejects(
    tell(alice, id, 'three'),
    (error) => hasHint('rate_limited')(error) && isAppError(error) && (error.details?.retryAfterMs ?? 0) > 50_000,
  )
  await tell(kit.peer(BOB), (await kit.peer(BOB).create({})).id, 'is not bounded by alice')
})

test('so many follows, given back as they end', async () => {
  await using kit = await startPeersKit(undefined, { peerFollows: 2 })
  const alice = kit.peer(ALICE)
  const { id } = await alice.create({})
  const follow = async (sessions: Sessions) => {
    const controller = new AbortController()
    const events = sessions.follow(id, { signal: controller.signal })[Symbol.asyncIterator]()
    await events.next()
    return async () => {
      controller.abort()
      await events.next()
    }
  }
  const end = await follow(alice)
  await follow(kit.peer(ALICE)) // another connection of hers
  await assert.rejects(follow(alice), hasHint('busy'))
  await end()
  await follow(alice)
})

test('a host that stops tells followers and callers of a lost link, not of an end', async () => {
  await using kit = await startPeersKit()
  const alice = kit.peer(ALICE)
  const { id } = await alice.create({})
  const events = alice.follow(id)[Symbol.asyncIterator]()
  await events.next()
  const next = events.next()
  await kit.kit.sessions.stop()
  await assert.rejects(next, { code: 'link_lost' })
  await assert.rejects(alice.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'x' }] }), { code: 'link_lost' })
  await assert.rejects(async () => await alice.follow(id)[Symbol.asyncIterator]().next(), { code: 'link_lost' })
})
