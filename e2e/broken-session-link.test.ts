import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRpcServer } from '@qmtcode/mesh/rpc'
import {
  isAppError,
  isDurable,
  newPromptId,
  resumingSessions,
  sessionsContract,
  sessionsHandlers,
  sessionsOverRpc,
} from '@qmtcode/protocol'
import type { DurableEvent, PeerId, PromptId, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { createTurnScript } from '@qmtcode/testing'
import type { CutProxy } from '@qmtcode/testing'
import { openCutLine } from './support/cut-line.ts'
import { startSessionsHost } from './support/sessions-host.ts'
import { eventually } from '@qmtcode/testing'

const PEER = '12D3KooWHostHostHostHostHostHostHostHostHostHostHost1' as PeerId

interface Stage extends AsyncDisposable {
  /** The host's own view. */
  here: Sessions
  /** The same over the line. */
  there: Sessions
  proxy: CutProxy
  id: SessionId
}

async function openStage(graceMs = 20_000): Promise<Stage> {
  await using opening = new AsyncDisposableStack()
  const host = opening.use(await startSessionsHost(createTurnScript().runTurn))
  const here = host.as('alice')
  const server = createRpcServer()
  opening.defer(() => server.stop())
  const served = { contract: sessionsContract, handlers: sessionsHandlers(host.as('bob')) }
  const { proxy, rpc } = opening.use(await openCutLine((stream) => server.accept(stream, served, { peerId: PEER })))
  const there = resumingSessions(sessionsOverRpc(rpc.client(sessionsContract)), {
    peerId: PEER,
    nodeName: () => Promise.resolve('host'),
    graceMs,
  })
  const { id } = await here.create({ workspace: host.workspace })
  const opened = opening.move()
  return { here, there, proxy, id, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

const say = (sessions: Sessions, id: SessionId, promptId: PromptId) =>
  sessions.prompt(id, { promptId, content: [{ type: 'text', text: `say ${'word '.repeat(40)}` }] })

test('a follower over a line that breaks again and again has the log of the host; prompts over it ran once', async () => {
  await using stage = await openStage()
  const { here, there, proxy, id } = stage
  const promptIds = Array.from({ length: 12 }, newPromptId)
  let isOver = false
  let cuts = 0
  // What a follower missed travels in one frame: each time more of it may pass, so that some time it does.
  const cutting = async (): Promise<void> => {
    await proxy.cutAfter(200 * 1.6 ** cuts)
    if (isOver) return
    cuts += 1
    proxy.restore()
    await cutting()
  }
  const owner = cutting()
  const prompting = (async () => {
    for (const promptId of promptIds) await say(there, id, promptId)
  })()
  const seen: SessionEvent[] = []
  for await (const event of there.follow(id)) {
    seen.push(event)
    if (event.type === 'turn.ended' && event.promptId === promptIds.at(-1)) break
  }
  await prompting
  isOver = true
  proxy.disarm()
  await owner
  const durable = seen.filter(isDurable)
  const { items } = await here.history(id, { limit: 1_000 })
  assert.deepEqual(durable, items)
  const accepted = items.flatMap((event: DurableEvent) => (event.type === 'prompt.accepted' ? [event.promptId] : []))
  assert.deepEqual(accepted, promptIds)
  assert.ok(cuts >= 3, `${cuts} cuts`)
  const links = seen.filter(({ type }) => type === 'link.lost' || type === 'link.restored').map(({ type }) => type)
  assert.deepEqual(
    links,
    links.map((_, at) => (at % 2 === 0 ? 'link.lost' : 'link.restored')),
  )
  assert.ok(links.length >= 2)
})

test('a follower whose host does not come back hears link_lost after the grace', async () => {
  await using stage = await openStage(500)
  const seen: SessionEvent[] = []
  const following = (async () => {
    for await (const event of stage.there.follow(stage.id)) seen.push(event)
  })()
  await eventually('the first event', () => seen.length > 0)
  stage.proxy.cut()
  await assert.rejects(following, (error) => isAppError(error, 'link_lost') && /host.*0\.5 s/.test(error.message))
  assert.deepEqual(seen.at(-1)?.type, 'link.lost')
})

test('a follower of a session in which nothing happens hears that the link is back, and follows on beyond the grace', async () => {
  await using stage = await openStage(1_500)
  const { here, there, proxy, id } = stage
  const seen: SessionEvent[] = []
  const leave = new AbortController()
  const following = (async () => {
    for await (const event of there.follow(id, { signal: leave.signal })) seen.push(event)
  })()
  following.catch(() => {}) // awaited below
  await eventually('the first event', () => seen.length > 0)
  proxy.cut()
  await eventually('the loss is told', () => seen.some(({ type }) => type === 'link.lost'))
  const lostAt = performance.now()
  proxy.restore()
  await eventually('it is back', () => seen.some(({ type }) => type === 'link.restored'))
  await eventually('the grace is over', () => performance.now() - lostAt > 1_700)
  const promptId = newPromptId()
  await say(here, id, promptId)
  await eventually('what the host says is heard', () => seen.some((event) => event.type === 'turn.ended' && event.promptId === promptId))
  leave.abort()
  await following
})

test('a follower that leaves while the link is away ends cleanly', async () => {
  await using stage = await openStage()
  const controller = new AbortController()
  const seen: SessionEvent[] = []
  const following = (async () => {
    for await (const event of stage.there.follow(stage.id, { signal: controller.signal })) seen.push(event)
  })()
  await eventually('the first event', () => seen.length > 0)
  stage.proxy.cut()
  await eventually('the loss is told', () => seen.some(({ type }) => type === 'link.lost'))
  controller.abort()
  await following
})

test('what is asked of a followed session while its host is away waits, and runs once when it is back', async () => {
  await using stage = await openStage()
  const { here, there, proxy, id } = stage
  const seen: SessionEvent[] = []
  const leave = new AbortController()
  const following = (async () => {
    for await (const event of there.follow(id, { signal: leave.signal })) seen.push(event)
  })()
  await eventually('the first event', () => seen.length > 0)
  proxy.cut()
  await eventually('the loss is told', () => seen.some(({ type }) => type === 'link.lost'))
  const promptId = newPromptId()
  const receipt = say(there, id, promptId)
  const titled = there.configure(id, { title: 'while away' })
  const got = there.get(id)
  proxy.restore()
  assert.equal((await receipt).promptId, promptId)
  assert.equal((await titled).title, 'while away')
  assert.equal((await got).id, id)
  await eventually('its turn is heard', () => seen.some((event) => event.type === 'turn.ended' && event.promptId === promptId))
  leave.abort()
  await following
  const { items } = await here.history(id, { limit: 1_000 })
  assert.equal(items.filter(({ type }) => type === 'prompt.accepted').length, 1)
  assert.deepEqual(seen.filter(isDurable), items)
})

test('what is asked while a host is away fails at once where nobody follows the session, and when the grace of who does is over', async () => {
  await using stage = await openStage(700)
  const { there, proxy, id } = stage
  const seen: SessionEvent[] = []
  const following = (async () => {
    for await (const event of there.follow(id)) seen.push(event)
  })()
  await eventually('the first event', () => seen.length > 0)
  proxy.cut()
  await eventually('the loss is told', () => seen.some(({ type }) => type === 'link.lost'))
  const waiting = say(there, id, newPromptId())
  await Promise.all([
    assert.rejects(following, (error) => isAppError(error, 'link_lost')),
    assert.rejects(waiting, (error) => isAppError(error, 'peer_unreachable', 'link_lost')),
  ])
  await assert.rejects(say(there, id, newPromptId()), (error) => isAppError(error, 'peer_unreachable'))
})
