import assert from 'node:assert/strict'
import { isDurable } from '@qmtcode/protocol'
import { followUntil } from './sessions-script.ts'
import { is, stopReason, tell, untilEnd } from './sessions-stage.ts'
import type { Scenario } from './sessions-stage.ts'

export function ending(scenario: Scenario): void {
  scenario('a closed session can be read and takes no prompts', async ({ alice, create }) => {
    const { id } = await create()
    await alice.close(id)
    await alice.close(id)
    assert.deepEqual([(await alice.get(id)).state, (await alice.get(id)).seq], ['closed', 2])
    await assert.rejects(tell(alice, id, 'say no'), { code: 'conflict' })
    await assert.rejects(alice.configure(id, { title: 'no' }), { code: 'conflict' })
    assert.equal((await alice.history(id)).items.length, 2)
  })

  scenario('a session is deleted when nothing runs in it, and its followers are told', async ({ alice, bob, create }) => {
    const { id } = await create()
    await tell(alice, id, 'wait')
    await assert.rejects(alice.delete(id), { code: 'conflict' })
    await assert.rejects(alice.close(id), { code: 'conflict' })
    await alice.cancel(id)
    const events = bob.follow(id)[Symbol.asyncIterator]()
    await events.next()
    await alice.delete(id)
    await assert.rejects(
      async () => {
        while (!(await events.next()).done);
      },
      { code: 'not_found' },
    )
    await assert.rejects(alice.get(id), { code: 'not_found' })
    await assert.rejects(tell(alice, id, 'say no'), { code: 'not_found' })
  })
}

export function restarting(scenario: Scenario): void {
  scenario('a restart interrupts the turn, holds the queue, and resumes both', async ({ alice, create, fixture, script }) => {
    const { id } = await create()
    const first = await tell(alice, id, 'wait')
    const second = await tell(alice, id, 'say two')
    await followUntil(alice, id, (event) => !isDurable(event))
    await fixture.restart()
    const again = await fixture.as('alice')
    assert.equal((await again.get(id)).state, 'interrupted')
    assert.deepEqual(await tell(again, id, 'wait', first.promptId), first)
    script.release()
    await again.resume(id)
    const seen = await untilEnd(again, id, second.promptId)
    assert.deepEqual(
      seen.filter(is('turn.ended')).map(({ promptId, stopReason }) => [promptId, stopReason]),
      [
        [first.promptId, 'interrupted'],
        [first.promptId, 'completed'],
        [second.promptId, 'completed'],
      ],
    )
    await assert.rejects(again.resume(id), { code: 'conflict' })
  })

  scenario('giving up an interrupted turn, or a new prompt, lets the queue go on', async ({ alice, create, fixture }) => {
    const [one, two] = [await create(), await create()]
    const stuck = await tell(alice, one.id, 'stick')
    const queued = await tell(alice, one.id, 'say queued')
    await tell(alice, two.id, 'stick')
    for (const { id } of [one, two]) await followUntil(alice, id, is('tool.started'))
    await fixture.restart()
    const again = await fixture.as('alice')
    await again.cancel(one.id)
    const seen = await untilEnd(again, one.id, queued.promptId)
    assert.equal(seen.find(is('prompt.withdrawn'))?.promptId, stuck.promptId)
    assert.equal(seen.find(is('tool.ended'))?.isError, true)
    const fresh = await tell(again, two.id, 'say fresh')
    assert.equal(stopReason(await untilEnd(again, two.id, fresh.promptId)), 'completed')
    await assert.rejects(again.resume(two.id), { code: 'conflict' })
  })
}
