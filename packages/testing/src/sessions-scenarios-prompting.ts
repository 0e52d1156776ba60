import assert from 'node:assert/strict'
import { newPromptId, newSessionId } from '@qmtcode/protocol'
import type { SessionId } from '@qmtcode/protocol'
import { durable, is, stopReason, tell, untilEnd } from './sessions-stage.ts'
import type { Scenario } from './sessions-stage.ts'

export function creating(scenario: Scenario): void {
  scenario('creates a session, gets it, and refuses what cannot be one', async ({ alice, create, fixture }) => {
    const info = await create({ title: 'a title', mode: 'plan', model: 'some/model', private: true })
    const { title, mode, model, private: isPrivate, state, workspace, seq, followers } = info
    assert.deepEqual(
      { title, mode, model, isPrivate, state, workspace, seq, followers },
      {
        title: 'a title',
        mode: 'plan',
        model: 'some/model',
        isPrivate: true,
        state: 'idle',
        workspace: fixture.workspace,
        seq: 1,
        followers: [],
      },
    )
    assert.deepEqual(await alice.get(info.id), info)
    await assert.rejects(alice.get(newSessionId()), { code: 'not_found' })
    await assert.rejects(create({ agent: 'nobody-has-it' }), { code: 'not_found' })
    await assert.rejects(create({ workspace: 'relative/path' }), { code: 'bad_request' })
    await assert.rejects(create({ workspace: `${fixture.workspace}/missing` }), { code: 'bad_request' })
  })

  scenario('an agent that uses the models of nodes brings none of its own', async ({ alice, create, fixture }) => {
    const { agent } = await create()
    assert.deepEqual(await alice.agentModels(), [])
    assert.deepEqual(await alice.agentModels({ agent, workspace: fixture.workspace }), [])
    await assert.rejects(alice.agentModels({ agent: 'nobody-has-it' }), { code: 'not_found' })
    await assert.rejects(alice.agentModels({ agent, workspace: 'relative/path' }), { code: 'bad_request' })
  })

  scenario('lists the newest first, in pages', async ({ alice, create }) => {
    const ids: SessionId[] = []
    for (let i = 0; i < 5; i += 1) ids.unshift((await create()).id)
    const first = await alice.list({ limit: 3 })
    const second = await alice.list({ limit: 3, cursor: first.cursor })
    assert.deepEqual(
      [...first.items, ...second.items].map(({ id }) => id),
      ids,
    )
    assert.equal(second.cursor, undefined)
    await assert.rejects(alice.list({ cursor: 'nonsense' }), { code: 'bad_request' })
  })

  scenario('changes title, model and mode', async ({ alice, create }) => {
    const { id } = await create()
    const changed = await alice.configure(id, { title: 'new', mode: 'plan' })
    assert.deepEqual([changed.title, changed.mode, changed.model, changed.seq], ['new', 'plan', undefined, 2])
    assert.equal((await alice.configure(id, { model: 'other/model' })).model, 'other/model')
    assert.equal((await alice.get(id)).title, 'new')
  })
}

export function prompting(scenario: Scenario): void {
  scenario('runs a prompt, and names an untitled session after it', async ({ alice, create }) => {
    const { id } = await create()
    const receipt = await tell(alice, id, 'say hello world')
    assert.deepEqual([receipt.seq, receipt.position], [2, 0])
    const seen = durable(await untilEnd(alice, id))
    assert.deepEqual(
      seen.map(({ seq, type }) => `${seq} ${type}`),
      ['1 session.created', '2 prompt.accepted', '3 turn.started', '4 message.completed', '5 turn.ended'],
    )
    assert.equal(seen.find(is('message.completed'))?.text, 'hello world')
    assert.match(seen.find(is('prompt.accepted'))?.author.node ?? '', /alice/)
    const info = await alice.get(id)
    assert.deepEqual([info.state, info.seq, info.title], ['idle', 5, 'say hello world'])
  })

  scenario('a repeated prompt id returns the first receipt and runs nothing', async ({ alice, bob, create }) => {
    const { id } = await create()
    const promptId = newPromptId()
    const receipts = await Promise.all([tell(alice, id, 'say once', promptId), tell(bob, id, 'say twice', promptId)])
    assert.deepEqual(receipts[0], receipts[1])
    await untilEnd(alice, id)
    assert.deepEqual(await tell(alice, id, 'say once', promptId), receipts[0])
    assert.equal((await alice.get(id)).seq, 5)
  })

  scenario('prompts of several callers wait in one queue', async ({ alice, bob, create, script }) => {
    const { id } = await create()
    const first = await tell(alice, id, 'wait')
    const second = await tell(bob, id, 'say two')
    const third = await tell(alice, id, 'say three')
    assert.deepEqual([first.position, second.position, third.position], [0, 1, 2])
    assert.equal((await alice.get(id)).state, 'running')
    script.release()
    const seen = await untilEnd(alice, id, third.promptId)
    assert.deepEqual(
      seen.filter(is('turn.started')).map(({ promptId }) => promptId),
      [first.promptId, second.promptId, third.promptId],
    )
  })

  scenario('cancels the running turn, and withdraws a queued prompt', async ({ alice, bob, create }) => {
    const { id } = await create()
    await tell(alice, id, 'wait')
    const withdrawn = await tell(alice, id, 'say never')
    const last = await tell(alice, id, 'say last')
    await bob.cancel(id, withdrawn.promptId)
    await bob.cancel(id)
    const seen = await untilEnd(alice, id, last.promptId)
    assert.deepEqual(
      seen.filter(is('turn.ended')).map(({ stopReason }) => stopReason),
      ['cancelled', 'completed'],
    )
    assert.equal(seen.find(is('prompt.withdrawn'))?.promptId, withdrawn.promptId)
    await bob.cancel(id)
    await bob.cancel(id, newPromptId())
  })

  scenario('a turn that throws is a failed turn, and the next one runs', async ({ alice, create }) => {
    const { id } = await create()
    const { promptId } = await tell(alice, id, 'throw')
    const failed = (await untilEnd(alice, id, promptId)).find(is('turn.ended'))
    assert.deepEqual([failed?.stopReason, failed?.error?.code], ['failed', 'internal'])
    const next = await tell(alice, id, 'say fine')
    assert.equal(stopReason(await untilEnd(alice, id, next.promptId)), 'completed')
  })

  scenario('two sessions run at once', async ({ alice, create, script }) => {
    const [one, two] = [await create(), await create()]
    await tell(alice, one.id, 'wait')
    await tell(alice, two.id, 'say done')
    assert.equal(stopReason(await untilEnd(alice, two.id)), 'completed')
    assert.equal((await alice.get(one.id)).state, 'running')
    script.release()
    assert.equal(stopReason(await untilEnd(alice, one.id)), 'completed')
  })
}
