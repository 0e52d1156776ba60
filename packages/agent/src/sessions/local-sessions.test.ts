import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, newId, newPromptId, newSessionId, silentLogger, systemClock } from '@qmtcode/protocol'
import type { DurableEventInit, PromptId, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { createTurnScript, followUntil } from '@qmtcode/testing'
import { createdEvent, note, sessionInit } from '../log/log-kit.ts'
import type { EventLog } from '../log/types.ts'
import type { RunTurn } from '../turn/types.ts'
import { createHotSessions } from './hot-sessions.ts'
import { createSessions } from './local-sessions.ts'
import { startSessions } from './sessions-kit.ts'

const author = { node: 'alice' }
const noUsage = { inputTokens: 0, outputTokens: 0 }
const quick: RunTurn = async () => ({ stopReason: 'completed', usage: noUsage })

const tell = (sessions: Sessions, id: SessionId, text: string, promptId: PromptId = newPromptId()) =>
  sessions.prompt(id, { promptId, content: [{ type: 'text', text }] })
const ended = (event: SessionEvent): boolean => event.type === 'turn.ended'
const types = (events: readonly SessionEvent[]): string[] => events.map(({ type }) => type)

async function collect(events: AsyncIterable<SessionEvent>): Promise<SessionEvent[]> {
  const seen: SessionEvent[] = []
  for await (const event of events) seen.push(event)
  return seen
}

const accepted = (text: string): Extract<DurableEventInit, { type: 'prompt.accepted' }> => ({
  type: 'prompt.accepted',
  promptId: newPromptId(),
  author,
  content: [{ type: 'text', text }],
  position: 0,
})

test('a deleted session takes along what lies beside the log, and only what is deleted', async () => {
  const discarded: SessionId[] = []
  const discard = async (id: SessionId): Promise<void> => {
    discarded.push(id)
    throw new Error('a full disk')
  }
  await using kit = await startSessions(quick, { discard })
  const sessions = kit.as('alice')
  const [gone, kept] = [await sessions.create({}), await sessions.create({})]
  await sessions.delete(gone.id)
  assert.deepEqual(discarded, [gone.id])
  assert.deepEqual(
    (await sessions.list()).items.map(({ id }) => id),
    [kept.id],
  )
})

test('what a crash left open is ended: tools, the turn; what waited behind it waits', async () => {
  await using kit = await startSessions(quick)
  const cut = sessionInit()
  const waiting = sessionInit()
  const turnId = newId('turn')
  const [first, second, third] = [accepted('first'), accepted('second'), accepted('third')]
  await kit.log.create(cut, createdEvent({ workspace: kit.workspace }))
  await kit.log.create(waiting, createdEvent({ workspace: kit.workspace }))
  const permission = { id: 'ask_1', callId: 'call_1', tool: 'shell', input: {}, summary: '', author }
  await kit.log.append(cut.id, [
    first,
    { type: 'turn.started', turnId, promptId: first.promptId },
    { ...note('half way'), usage: { inputTokens: 7, outputTokens: 3 } },
    { type: 'tool.started', turnId, callId: 'call_1', name: 'shell', input: {}, node: 'host' },
    { type: 'permission.requested', turnId, ...permission },
    { type: 'permission.answered', turnId, id: 'ask_1', answer: 'allow', by: author },
    second,
  ])
  await kit.log.append(waiting.id, [third])
  await kit.restart()
  const sessions = kit.as('alice')

  assert.equal((await followUntil(sessions, waiting.id, ended)).length, 4)
  const { items } = await sessions.history(cut.id)
  const [toolEnded, turnEnded] = items.slice(8)
  assert.deepEqual(types(items.slice(8)), ['tool.ended', 'turn.ended'])
  assert.match(
    toolEnded?.type === 'tool.ended' && toolEnded.isError ? toolEnded.output : '',
    /^interrupted by a crash: it may have run in part/,
  )
  assert.deepEqual(turnEnded?.type === 'turn.ended' && [turnEnded.stopReason, turnEnded.usage.inputTokens], ['interrupted', 7])
  assert.equal((await sessions.get(cut.id)).state, 'interrupted')

  await kit.restart()
  const again = kit.as('alice')
  assert.equal((await again.get(cut.id)).seq, 10)
  await again.resume(cut.id)
  const seen = await followUntil(again, cut.id, (event) => event.type === 'turn.ended' && event.promptId === second.promptId)
  assert.deepEqual(types(seen.slice(10)), ['turn.started', 'turn.ended', 'turn.started', 'turn.ended'])
})

test('a resumed turn is given everything so far', async () => {
  const given: string[][] = []
  const script = createTurnScript()
  await using kit = await startSessions(async (turn) => {
    given.push(types(turn.events))
    return await script.runTurn(turn)
  })
  const { id } = await kit.as('alice').create({})
  await tell(kit.as('alice'), id, 'wait')
  await followUntil(kit.as('alice'), id, (event) => event.type.startsWith('message.'))
  await kit.restart()
  script.release()
  await kit.as('bob').resume(id)
  await followUntil(kit.as('alice'), id, ended, { after: 4 })
  assert.deepEqual(given, [
    ['session.created', 'prompt.accepted', 'turn.started'],
    ['session.created', 'prompt.accepted', 'turn.started', 'turn.ended', 'turn.started'],
  ])
})

test('a turn is given the log up to its own start, whatever else was prompted since', async () => {
  const given: string[][] = []
  await using kit = await startSessions(async (turn) => {
    given.push(types(turn.events))
    return await quick(turn)
  })
  const sessions = kit.as('alice')
  const { id } = await sessions.create({})
  const receipts = await Promise.all([1, 2, 3, 4].map((i) => tell(sessions, id, `prompt ${i}`)))
  await followUntil(sessions, id, (event) => event.type === 'turn.ended' && event.promptId === receipts[3]?.promptId)
  assert.deepEqual(
    given.map((events) => [events.at(-1), events.filter((type) => type === 'turn.started').length]),
    [1, 2, 3, 4].map((n) => ['turn.started', n]),
  )
})

test('a stop interrupts the turn and ends its followers cleanly, after its last event', async () => {
  await using kit = await startSessions(createTurnScript().runTurn)
  const sessions = kit.as('alice')
  const { id } = await sessions.create({})
  const seen = collect(sessions.follow(id))
  await tell(sessions, id, 'stick')
  await followUntil(sessions, id, (event) => event.type === 'tool.started')
  await Promise.all([kit.sessions.stop(), kit.sessions.stop()])
  const last = (await seen).at(-1)
  assert.equal(last?.type === 'turn.ended' && last.stopReason, 'interrupted')
  await assert.rejects(tell(sessions, id, 'late'), { code: 'interrupted' })
  await assert.rejects(collect(sessions.follow(id)), { code: 'interrupted' })
})

test('a turn that ignores its signal is cut after the grace, and can write nothing more', async () => {
  const late = Promise.withResolvers<unknown>()
  const started = Promise.withResolvers<void>()
  const hold = Promise.withResolvers<void>()
  const deaf: RunTurn = async (turn) => {
    started.resolve()
    await hold.promise
    turn.append(note('too late')).then(late.resolve, late.resolve)
    return { stopReason: 'completed', usage: noUsage }
  }
  await using kit = await startSessions(deaf, { cancelGraceMs: 20 })
  const sessions = kit.as('alice')
  const { id } = await sessions.create({})
  await tell(sessions, id, 'hold')
  await started.promise
  await sessions.cancel(id)
  const seen = await followUntil(sessions, id, ended)
  assert.deepEqual(types(seen), ['session.created', 'prompt.accepted', 'turn.started', 'turn.ended'])
  hold.resolve()
  assert.ok((await late.promise) instanceof AppError)
  assert.equal((await sessions.get(id)).seq, 4)
})

test('a log that cannot be written fails the command, and the node goes on when it can', async () => {
  await using kit = await startSessions(quick)
  const disk = { isFull: false }
  const log: EventLog = {
    ...kit.log,
    append: async (id, events) => {
      const isRefused = disk.isFull && events.every(({ type }) => type !== 'prompt.accepted')
      if (isRefused) throw new AppError('internal', 'disk full')
      return await kit.log.append(id, events)
    },
  }
  const running = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const runTurn: RunTurn = async () => {
    running.resolve()
    await goOn.promise
    return { stopReason: 'completed', usage: noUsage }
  }
  const agent = { id: 'coder', name: '', description: '', kind: 'local', capabilities: [], target: { kind: 'local' } } as const
  const agents = { get: () => ({ ...agent, capabilities: [] }), default: () => ({ ...agent, capabilities: [] }) }
  const parts = { log, runTurn, agents, clock: systemClock, logger: silentLogger, node: { name: 'host' } }
  await using host = createSessions(parts, { defaultWorkspace: kit.workspace })
  await host.start()
  const sessions = host.as(author)
  const { id } = await sessions.create({})
  await tell(sessions, id, 'one')
  await running.promise
  disk.isFull = true
  const cancelling = assert.rejects(sessions.cancel(id), { code: 'internal', message: 'disk full' })
  goOn.resolve()
  await cancelling
  const two = await tell(sessions, id, 'two')
  assert.equal(two.position, 0)
  disk.isFull = false
  await sessions.resume(id).catch(() => {}) // it may have begun by itself
  const seen = await followUntil(sessions, id, (event) => event.type === 'turn.ended' && event.promptId === two.promptId)
  assert.equal(types(seen).filter((type) => type === 'turn.ended').length, 2)
})

test('the queue of a session is bounded, and survives a restart in its order', async () => {
  await using kit = await startSessions(createTurnScript().runTurn)
  const sessions = kit.as('alice')
  const { id } = await sessions.create({})
  const receipts = await Promise.all(Array.from({ length: 201 }, () => tell(sessions, id, 'stick')))
  assert.deepEqual(
    receipts.map(({ position }) => position),
    Array.from({ length: 201 }, (_, i) => i),
  )
  await assert.rejects(tell(sessions, id, 'one too many'), { code: 'busy' })
  await kit.restart()
  const again = kit.as('alice')
  await again.cancel(id)
  const seen = await followUntil(again, id, (event) => event.type === 'turn.started', { after: 204 })
  const started = seen.find((event) => event.type === 'turn.started')
  assert.equal(started?.promptId, receipts[1]?.promptId)
})

test('fifty followers of one session see the same', async () => {
  await using kit = await startSessions(createTurnScript().runTurn)
  const sessions = kit.as('alice')
  const { id } = await sessions.create({})
  const following = Array.from({ length: 50 }, () => followUntil(sessions, id, ended))
  await tell(sessions, id, 'say many words to many people')
  const all = await Promise.all(following)
  for (const seen of all) assert.deepEqual(seen.filter((event) => 'seq' in event).length, 5)
})

test('a session nobody uses costs no memory', async () => {
  await using kit = await startSessions(quick)
  const hot = createHotSessions({ log: kit.log, clock: systemClock })
  const session = sessionInit()
  await kit.log.create(session, createdEvent())
  const outer = await hot.hold(session.id)
  await hot.use(session.id, async (inner) => assert.equal(inner, outer.session))
  assert.equal(hot.all().length, 1)
  outer[Symbol.dispose]()
  outer[Symbol.dispose]()
  assert.deepEqual(hot.all(), [])
  await assert.rejects(hot.hold(newSessionId()), { code: 'not_found' })
  assert.equal(hot.peek(session.id), undefined)
})

test('leaving a follow while it waits ends it', async () => {
  await using kit = await startSessions(quick)
  const sessions = kit.as('alice')
  const { id } = await sessions.create({})
  const events = sessions.follow(id)[Symbol.asyncIterator]()
  await events.next()
  const waiting = events.next()
  await events.return?.()
  assert.equal((await waiting).done, true)
  assert.deepEqual((await sessions.get(id)).followers, [])
})
