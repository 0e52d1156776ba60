import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { DurableEvent, DurableEventInit, PromptId, SessionId } from '@qmtcode/protocol'
import { createdEvent, note, openLog, sessionInit } from './log-kit.ts'
import type { EventLog } from './types.ts'

/** What a session must read as: the ids of messages and prompts, by seq. */
type Model = Map<SessionId, string[]>

const nameOf = (event: DurableEvent): string => {
  if (event.type === 'message.completed') return event.messageId
  return event.type === 'prompt.accepted' ? event.promptId : event.type
}

function createDice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

async function wholeOf(log: EventLog, id: SessionId, back: boolean): Promise<string[]> {
  const found: DurableEvent[] = []
  for (;;) {
    const page = back
      ? (await log.readBack(id, { before: found[0]?.seq ?? Number.MAX_SAFE_INTEGER, limit: 3 })).events
      : await log.read(id, { after: found.at(-1)?.seq ?? 0, limit: 3 })
    if (page.length === 0) return found.map(nameOf)
    if (back) found.unshift(...page)
    else found.push(...page)
    assert.ok(found.every(({ seq }, i) => i === 0 || seq === (found[i - 1]?.seq ?? 0) + 1))
  }
}

async function change(log: EventLog, model: Model, dice: (sides: number) => number): Promise<void> {
  const ids = [...model.keys()]
  const id = ids[dice(ids.length)]
  const events = id && model.get(id)
  const choice = dice(10)
  if (!id || !events || (choice === 0 && ids.length < 5)) {
    const session = sessionInit()
    await log.create(session, createdEvent())
    model.set(session.id, ['session.created'])
  } else if (choice < 5) {
    const promptId = newPromptId()
    const added: DurableEventInit[] = [
      note('x'),
      { type: 'prompt.accepted', promptId, author: { node: 'n' }, content: [{ type: 'text', text: 'y' }], position: 0 },
    ]
    const stored = await log.append(id, added)
    events.push(...stored.map(nameOf))
  } else if (choice < 8) {
    const session = sessionInit()
    const at = 1 + dice(events.length)
    const closing = dice(2) === 0 ? [] : [note('closing')]
    await log.fork(id, { at, session, created: createdEvent(), closing })
    model.set(session.id, [...events.slice(0, at), ...closing.map(({ messageId }) => messageId)])
  } else {
    await log.remove(id)
    model.delete(id)
  }
}

for (const seed of [1, 2, 3]) {
  test(`sessions that share events read as if each had its own, whatever is forked and deleted (seed ${seed})`, async () => {
    await using kit = await openLog()
    const model: Model = new Map()
    const dice = createDice(seed)
    const prompts = new Set<PromptId>()
    for (let i = 0; i < 100; i += 1) {
      await change(kit.log, model, dice)
      for (const [id, events] of model) {
        assert.deepEqual(await wholeOf(kit.log, id, false), events)
        assert.equal((await kit.log.session(id))?.seq, events.length)
        for (const name of events) if (name.startsWith('pr_')) prompts.add(name as PromptId)
      }
    }
    for (const [id, events] of model) {
      assert.deepEqual(await wholeOf(kit.log, id, true), events)
      for (const promptId of prompts) {
        const seq = events.indexOf(promptId) + 1
        assert.equal((await kit.log.receipt(id, promptId))?.seq ?? 0, seq)
        assert.equal((await kit.log.prompt(id, promptId))?.promptId, seq === 0 ? undefined : promptId)
      }
    }
    for (const id of model.keys()) await kit.log.remove(id)
    const db = new DatabaseSync(kit.file)
    for (const table of ['events', 'prompts', 'charges', 'sessions']) {
      assert.equal(db.prepare(`select count(*) as n from ${table}`).get()?.['n'], 0, table)
    }
    db.close()
  })
}
