import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { DurableEventInit } from '@qmtcode/protocol'
import { createdEvent, note, openLog, sessionInit } from './log-kit.ts'

test('gives events their seq, and reads them back in order and in pages', async () => {
  await using kit = await openLog()
  const session = sessionInit()
  assert.equal((await kit.log.create(session, createdEvent({ title: 'first' }))).seq, 1)
  const appended = await kit.log.append(session.id, [note('a'), note('b'), note('c')])
  assert.deepEqual(
    appended.map(({ seq }) => seq),
    [2, 3, 4],
  )
  assert.deepEqual(await kit.log.read(session.id, { after: 1, limit: 10 }), appended)
  assert.deepEqual(
    (await kit.log.read(session.id, { after: 0, limit: 2 })).map(({ seq }) => seq),
    [1, 2],
  )
  const back = await kit.log.readBack(session.id, { before: 5, limit: 2 })
  assert.deepEqual([back.events.map(({ seq }) => seq), back.more], [[3, 4], true])
  const row = await kit.log.session(session.id)
  assert.deepEqual([row?.title, row?.seq, row?.state, row?.mode, row?.unattended], ['first', 4, 'idle', 'build', false])
})

test('a page of large events ends early and never comes empty', async () => {
  await using kit = await openLog()
  const session = sessionInit()
  await kit.log.create(session, createdEvent())
  const large = note('x'.repeat(400_000))
  await kit.log.append(session.id, [large, large, large])
  assert.equal((await kit.log.read(session.id, { after: 1, limit: 10 })).length, 1)
  const back = await kit.log.readBack(session.id, { before: 5, limit: 10 })
  assert.deepEqual([back.events.map(({ seq }) => seq), back.more], [[4], true])
})

test('one bad write does not take its neighbours in the transaction with it', async () => {
  await using kit = await openLog()
  const session = sessionInit()
  await kit.log.create(session, createdEvent())
  const promptId = newPromptId()
  const prompt: DurableEventInit = {
    type: 'prompt.accepted',
    promptId,
    author: { node: 'test' },
    content: [{ type: 'text', text: 'hi' }],
    position: 0,
  }
  const results = await Promise.allSettled([
    kit.log.append(session.id, [prompt]),
    kit.log.append(session.id, [note('before'), prompt]),
    kit.log.append(sessionInit().id, [note('nowhere')]),
    kit.log.append(session.id, [note('after')]),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  const events = await kit.log.read(session.id, { after: 1, limit: 10 })
  assert.deepEqual(
    events.map(({ seq, type }) => [seq, type]),
    [
      [2, 'prompt.accepted'],
      [3, 'message.completed'],
    ],
  )
  assert.equal((await kit.log.receipt(session.id, promptId))?.seq, 2)
})

test('keeps everything over a restart', async () => {
  await using kit = await openLog()
  const session = sessionInit()
  await kit.log.create(session, createdEvent())
  await kit.log.append(session.id, [note('a')])
  await kit.log.stop()
  await kit.log.stop()
  await assert.rejects(kit.log.append(session.id, [note('late')]), { code: 'interrupted' })
  await using again = await openLog({ file: kit.file })
  assert.equal((await again.log.read(session.id, { after: 0, limit: 10 })).length, 2)
})

test('lists the newest first, with a cursor that survives changes', async () => {
  await using kit = await openLog()
  const sessions = [sessionInit(), sessionInit(), sessionInit()]
  for (const session of sessions) await kit.log.create(session, createdEvent())
  const first = await kit.log.list({ limit: 2 })
  await kit.log.remove(first.rows[1]?.id ?? assert.fail())
  const second = await kit.log.list({ limit: 2, before: first.next })
  assert.deepEqual(
    [...first.rows, ...second.rows].map(({ id }) => id),
    sessions.map(({ id }) => id).toReversed(),
  )
  assert.equal(second.next, undefined)
})
