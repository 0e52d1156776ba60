import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDurable, newPromptId, newSessionId } from '@qmtcode/protocol'
import type { PromptContent, PromptId, SessionEvent, SessionId, SessionInfo, SessionInit, Sessions } from '@qmtcode/protocol'
import { createTurnScript, followUntil } from './sessions-script.ts'
import type { ScriptedRunTurn, SeenEvent, TurnScript } from './sessions-script.ts'

/** A running host of sessions whose turns run `runTurn`. */
export interface SessionsFixture extends AsyncDisposable {
  /** The port as a caller whose name contains `caller` sees it. */
  as(caller: 'alice' | 'bob'): Promise<Sessions>
  /** An existing directory of the host. */
  workspace: string
  /** Stops the host and starts it again over the same log; views from before are of no use after it. */
  restart(): Promise<void>
}

export type SessionsSetup = (runTurn: ScriptedRunTurn) => Promise<SessionsFixture>

/** What every Sessions does: here, over a wire, over HTTP. */
export function sessionsCompliance(name: string, setup: SessionsSetup): void {
  const scenario = (title: string, run: (stage: Stage) => Promise<void>): void => {
    // oxlint-disable-next-line typescript/no-floating-promises -- node:test owns it
    test(`sessions (${name}): ${title}`, { timeout: 60_000 }, async () => {
      const script = createTurnScript()
      await using fixture = await setup(script.runTurn)
      await run(await createStage(fixture, script))
    })
  }
  creating(scenario)
  prompting(scenario)
  following(scenario)
  answering(scenario)
  ending(scenario)
  restarting(scenario)
}

type Scenario = (title: string, run: (stage: Stage) => Promise<void>) => void

interface Stage {
  fixture: SessionsFixture
  script: TurnScript
  alice: Sessions
  bob: Sessions
  create(init?: SessionInit): Promise<SessionInfo>
}

async function createStage(fixture: SessionsFixture, script: TurnScript): Promise<Stage> {
  const alice = await fixture.as('alice')
  const bob = await fixture.as('bob')
  return { fixture, script, alice, bob, create: (init = {}) => alice.create({ workspace: fixture.workspace, ...init }) }
}

const text = (value: string): PromptContent => [{ type: 'text', text: value }]
const tell = (sessions: Sessions, id: SessionId, said: string, promptId: PromptId = newPromptId()) =>
  sessions.prompt(id, { promptId, content: text(said) })

const is =
  <Type extends SessionEvent['type']>(type: Type, match: Partial<SeenEvent<Type>> = {}) =>
  (event: SessionEvent): event is SeenEvent<Type> =>
    event.type === type && Object.entries(match).every(([key, value]) => (event as unknown as Record<string, unknown>)[key] === value)
const untilEnd = (sessions: Sessions, id: SessionId, promptId?: PromptId): Promise<SessionEvent[]> =>
  followUntil(sessions, id, promptId === undefined ? is('turn.ended') : is('turn.ended', { promptId }))
const durable = (events: readonly SessionEvent[]) => events.filter(isDurable)
const stopReason = (events: readonly SessionEvent[]) => events.findLast(is('turn.ended'))?.stopReason

function creating(scenario: Scenario): void {
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

function prompting(scenario: Scenario): void {
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

function following(scenario: Scenario): void {
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
    const joined = followUntil(bob, id, (event) => seen.push(event) > 0 && is('turn.ended')(event), { after: 3 })
    await followUntil(alice, id, is('message.snapshot'), { after: 3 })
    while (!seen.some((event) => !isDurable(event))) await new Promise((resolve) => setImmediate(resolve))
    script.release()
    const [snapshot, delta, completed] = await joined
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

function answering(scenario: Scenario): void {
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

function ending(scenario: Scenario): void {
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

function restarting(scenario: Scenario): void {
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
