import assert from 'node:assert/strict'
import { isDurable, newSessionId } from '@qmtcode/protocol'
import type { SessionEvent } from '@qmtcode/protocol'
import { followUntil } from './sessions-script.ts'
import { durable, is, stopReason, tell, untilEnd } from './sessions-stage.ts'
import type { Scenario } from './sessions-stage.ts'

/** Who else is there is told whenever they come and go: a follow that has been left may still be seen. */
const isPresence = is('presence.changed')

export function following(scenario: Scenario): void {
  scenario('follows after a known event with no gap and no repeat', async ({ alice, create }) => {
    const { id } = await create()
    await tell(alice, id, 'say one')
    await untilEnd(alice, id)
    const following = followUntil(alice, id, is('turn.ended', { seq: 9 }), { after: 3 })
    await tell(alice, id, 'say two')
    assert.deepEqual(
      durable(await following).map(({ seq }) => seq),
      [4, 5, 6, 7, 8, 9],
    )
  })

  scenario('a follower in the middle of a message begins with what was said', async ({ alice, bob, create, script }) => {
    const { id } = await create()
    await tell(alice, id, 'wait')
    await followUntil(alice, id, (event) => !isDurable(event))
    const seen: SessionEvent[] = []
    const joined = followUntil(bob, id, (event) => (isPresence(event) || seen.push(event) > 0) && is('turn.ended')(event), { after: 3 })
    await followUntil(alice, id, is('message.snapshot'), { after: 3 })
    while (!seen.some((event) => !isDurable(event))) await new Promise((resolve) => setImmediate(resolve))
    script.release()
    const [snapshot, delta, completed] = (await joined).filter((event) => !isPresence(event))
    assert.equal(snapshot?.type === 'message.snapshot' && snapshot.textSoFar, 'first ')
    assert.equal(delta?.type === 'message.delta' && delta.text, 'second')
    assert.equal(completed?.type, 'message.completed')
  })

  scenario('a follow ends cleanly when it is aborted, and refuses a cursor from the future', async ({ alice, create }) => {
    const { id } = await create()
    const abort = new AbortController()
    const seen: SessionEvent[] = []
    for await (const event of alice.follow(id, { signal: abort.signal })) {
      seen.push(event)
      abort.abort()
    }
    assert.equal(seen.length, 1)
    await assert.rejects(
      followUntil(alice, id, () => true, { after: 2 }),
      { code: 'bad_request' },
    )
    await assert.rejects(
      followUntil(alice, newSessionId(), () => true),
      { code: 'not_found' },
    )
  })

  scenario('names those who follow', async ({ alice, bob, create }) => {
    const { id } = await create()
    const abort = new AbortController()
    const events = alice.follow(id, { signal: abort.signal })[Symbol.asyncIterator]()
    await events.next()
    const { followers } = await bob.get(id)
    assert.equal(followers.length, 1)
    assert.match(followers[0] ?? '', /alice/)
    abort.abort()
    assert.equal((await events.next()).done, true)
    const deadline = Date.now() + 10_000
    while ((await bob.get(id)).followers.length > 0) assert.ok(Date.now() < deadline, 'the follower is still named')
  })

  scenario('history goes backwards in pages', async ({ alice, create }) => {
    const { id } = await create()
    await tell(alice, id, 'say one')
    await untilEnd(alice, id)
    const newest = await alice.history(id, { limit: 2 })
    const older = await alice.history(id, { limit: 10, before: Number(newest.cursor) })
    assert.deepEqual(
      [...older.items, ...newest.items].map(({ seq }) => seq),
      [1, 2, 3, 4, 5],
    )
    assert.equal(older.cursor, undefined)
    assert.deepEqual([...older.items, ...newest.items], durable(await untilEnd(alice, id)))
  })
}

export function answering(scenario: Scenario): void {
  scenario('a permission waits for its first answer', async ({ alice, bob, create }) => {
    const { id } = await create()
    await tell(alice, id, 'ask')
    const asked = (await followUntil(bob, id, is('permission.requested'))).find(is('permission.requested'))
    assert.ok(asked)
    assert.equal((await alice.get(id)).state, 'waiting')
    await assert.rejects(bob.answer(id, { id: 'ask_unknown', answer: 'allow' }), { code: 'not_found' })
    await bob.answer(id, { id: asked.id, answer: 'allow' })
    await assert.rejects(alice.answer(id, { id: asked.id, answer: 'deny' }), { code: 'conflict', message: /bob.*allow/ })
    const seen = await untilEnd(alice, id)
    assert.equal(seen.find(is('message.completed'))?.text, 'answer: allow')
    assert.match(seen.find(is('permission.answered'))?.by?.node ?? '', /bob/)
  })

  scenario('where nobody can answer, the answer is no, with the reason', async ({ alice, create }) => {
    const { id } = await create({ unattended: true })
    await tell(alice, id, 'ask')
    const answered = (await untilEnd(alice, id)).find(is('permission.answered'))
    assert.equal(answered?.answer, 'deny')
    assert.ok(answered?.reason)
  })

  scenario('cancelling a turn answers what it asked', async ({ alice, create }) => {
    const { id } = await create()
    await tell(alice, id, 'ask')
    await followUntil(alice, id, is('permission.requested'))
    await alice.cancel(id)
    const seen = await untilEnd(alice, id)
    assert.deepEqual([seen.find(is('permission.answered'))?.answer, stopReason(seen)], ['deny', 'cancelled'])
    assert.equal((await alice.get(id)).state, 'idle')
  })
}
