import assert from 'node:assert/strict'
import type { SessionId, Sessions } from '@qmtcode/protocol'
import { followUntil } from './sessions-script.ts'
import type { SeenEvent } from './sessions-script.ts'
import { is, stopReason, tell, untilEnd } from './sessions-stage.ts'
import type { Scenario } from './sessions-stage.ts'

async function asked(sessions: Sessions, id: SessionId): Promise<SeenEvent<'question.asked'>> {
  const question = (await followUntil(sessions, id, is('question.asked'))).find(is('question.asked'))
  assert.ok(question)
  return question
}

export function askingQuestions(scenario: Scenario): void {
  scenario('a question waits for its first reply, which everybody sees', async ({ alice, bob, create }) => {
    const { id } = await create()
    await tell(alice, id, 'choose')
    const question = await asked(bob, id)
    assert.deepEqual(
      [question.text, question.choices.map(({ label }) => label), question.multiple, question.freeText],
      ['Which colour?', ['red', 'blue'], false, true],
    )
    assert.match(question.author.node, /alice/)
    assert.equal((await alice.get(id)).state, 'waiting')
    await bob.answer(id, { id: question.id, answer: { choices: ['red'], text: 'but dark' } })
    await assert.rejects(alice.answer(id, { id: question.id, answer: { choices: ['blue'] } }), { code: 'conflict', message: /bob.*red/ })
    const seen = await untilEnd(alice, id)
    assert.equal(seen.find(is('message.completed'))?.text, 'reply: red "but dark"')
    const answered = seen.find(is('question.answered'))
    assert.deepEqual(answered?.reply, { choices: ['red'], text: 'but dark' })
    assert.match(answered?.by?.node ?? '', /bob/)
  })

  scenario('a reply that does not answer the question is refused, and says what would', async ({ alice, create }) => {
    const { id } = await create()
    await tell(alice, id, 'choose')
    const one = await asked(alice, id)
    const refused = { code: 'bad_request', hint: /red.*blue/ }
    await assert.rejects(alice.answer(id, { id: one.id, answer: { choices: ['green'] } }), refused)
    await assert.rejects(alice.answer(id, { id: one.id, answer: { choices: ['red', 'blue'] } }), refused)
    await assert.rejects(alice.answer(id, { id: one.id, answer: 'allow' }), { code: 'bad_request' })
    await assert.rejects(alice.answer(id, { id: 'ask_unknown', answer: { choices: ['red'] } }), { code: 'not_found' })
    await alice.answer(id, { id: one.id, answer: { choices: [], text: 'green' } })
    await untilEnd(alice, id)

    const { id: second } = await create()
    await tell(alice, second, 'pick')
    const several = await asked(alice, second)
    await assert.rejects(alice.answer(second, { id: several.id, answer: { choices: [], text: 'green' } }), refused)
    await alice.answer(second, { id: several.id, answer: { choices: ['red', 'blue'] } })
    assert.equal((await untilEnd(alice, second)).find(is('message.completed'))?.text, 'reply: red blue')
  })

  scenario('a permission takes no words, and a question can be declined', async ({ alice, create }) => {
    const { id } = await create()
    await tell(alice, id, 'ask')
    const permission = (await followUntil(alice, id, is('permission.requested'))).find(is('permission.requested'))
    assert.ok(permission)
    await assert.rejects(alice.answer(id, { id: permission.id, answer: { choices: [], text: 'yes' } }), { code: 'bad_request' })
    await alice.cancel(id)
    await tell(alice, id, 'choose')
    const question = await asked(alice, id)
    await alice.answer(id, { id: question.id, answer: 'deny' })
    const seen = await followUntil(alice, id, is('message.completed'))
    assert.match(seen.find(is('message.completed'))?.text ?? '', /no reply: .*declined/)
  })

  scenario('a question is answered for want of a person, and by a cancel', async ({ alice, create }) => {
    const { id } = await create({ unattended: true })
    await tell(alice, id, 'choose')
    const answered = (await untilEnd(alice, id)).find(is('question.answered'))
    assert.deepEqual([answered?.reply, answered?.reason], [undefined, 'nobody can answer in this session'])
    const { id: second } = await create()
    await tell(alice, second, 'choose')
    await asked(alice, second)
    await alice.cancel(second)
    const seen = await untilEnd(alice, second)
    const closed = seen.find(is('question.answered'))
    assert.deepEqual([closed?.reply, stopReason(seen)], [undefined, 'cancelled'])
    assert.match(closed?.reason ?? '', /cancelled by/)
  })
}

/** What is asked outlives the host's end. */
export function waiting(scenario: Scenario): void {
  scenario('a question is open after a restart, under its id, and its reply goes on with the turn', async ({ alice, create, fixture }) => {
    const { id } = await create()
    await tell(alice, id, 'choose')
    const question = await asked(alice, id)
    const queued = await tell(alice, id, 'say behind it')
    const { seq } = await alice.get(id)
    for (let times = 0; times < 2; times += 1) {
      await fixture.restart()
      const { state, seq: head } = await (await fixture.as('alice')).get(id)
      assert.deepEqual([state, head], ['waiting', seq])
    }
    const again = await fixture.as('bob')
    assert.equal((await asked(again, id)).id, question.id)
    await assert.rejects(again.resume(id), { code: 'conflict' })
    await again.answer(id, { id: question.id, answer: { choices: ['blue'] } })
    await assert.rejects(again.answer(id, { id: question.id, answer: { choices: ['red'] } }), { code: 'conflict', message: /bob/ })
    const seen = await untilEnd(again, id, queued.promptId)
    assert.deepEqual(
      seen.filter(is('message.completed')).map(({ text }) => text),
      ['reply: blue', 'behind it'],
    )
    for (const type of ['question.asked', 'question.answered'] as const) assert.equal(seen.filter(is(type)).length, 1, type)
    assert.equal(seen.filter(is('turn.started')).length, 2)
  })

  scenario('a permission is open after a restart; a cancel closes it and lets the queue go on', async ({ alice, create, fixture }) => {
    const [one, two] = [await create(), await create()]
    for (const { id } of [one, two]) {
      await tell(alice, id, 'ask')
      await followUntil(alice, id, is('permission.requested'))
    }
    await fixture.restart()
    const again = await fixture.as('alice')
    const request = (await followUntil(again, one.id, is('permission.requested'))).find(is('permission.requested'))
    await again.answer(one.id, { id: request?.id ?? '', answer: 'allow' })
    const seen = await untilEnd(again, one.id)
    assert.deepEqual([seen.find(is('message.completed'))?.text, stopReason(seen)], ['answer: allow', 'completed'])

    await again.cancel(two.id)
    const cancelled = await untilEnd(again, two.id)
    assert.deepEqual([cancelled.find(is('permission.answered'))?.answer, stopReason(cancelled)], ['deny', 'cancelled'])
    assert.equal((await again.get(two.id)).state, 'idle')
    const { promptId } = await tell(again, two.id, 'say on')
    assert.equal(stopReason(await untilEnd(again, two.id, promptId)), 'completed')
  })
}
