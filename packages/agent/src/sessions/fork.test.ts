import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createTurnScript } from '@qmtcode/testing'
import { createdEvent, note, openLog, sessionInit } from '../log/log-kit.ts'
import { ALICE, BOB, startPeersKit, tell } from './peers/peers-kit.ts'
import { startSessions } from './sessions-kit.ts'

test('a session of 10,000 events is forked in well under a second', async () => {
  await using kit = await openLog()
  const [source, fork] = [sessionInit(), sessionInit()]
  await kit.log.create(source, createdEvent())
  const events = Array.from({ length: 1_000 }, (_, i) => note(`event ${i}`))
  for (let i = 0; i < 10; i += 1) await kit.log.append(source.id, events)
  const before = performance.now()
  assert.deepEqual(await kit.log.openAt(source.id, 10_001), { turn: undefined, waiting: [] })
  await kit.log.fork(source.id, { at: 10_001, session: fork, created: createdEvent(), closing: [] })
  const took = performance.now() - before
  assert.ok(took < 1_000, `${took} ms`)
  assert.equal((await kit.log.session(fork.id))?.seq, 10_001)
  const last = (events: Awaited<ReturnType<typeof kit.log.read>>) =>
    events.map((event) => [event.seq, event.at, event.type === 'message.completed' && event.text])
  assert.deepEqual(
    last(await kit.log.read(fork.id, { after: 9_990, limit: 20 })),
    last(await kit.log.read(source.id, { after: 9_990, limit: 20 })),
  )
})

test('a fork is its maker’s: rights, what was allowed and prompts of others do not come along', async () => {
  const script = createTurnScript()
  await using kit = await startPeersKit(script.runTurn)
  const { id } = await kit.host.create({ private: true, unattended: true, allow: ['shell'] })
  await kit.host.share(id, { peerId: ALICE, node: 'alice', rights: ['observe'] })
  await kit.host.share(id, { peerId: BOB, node: 'bob', rights: ['control'] })
  await tell(kit.host, id, 'wait')
  await tell(kit.host, id, 'say later')
  const alice = kit.peer(ALICE)
  await assert.rejects(tell(alice, id, 'say no'), { code: 'forbidden' })
  const fork = await alice.fork(id)
  assert.deepEqual([fork.private, fork.shares, fork.state], [true, undefined, 'idle'])
  const row = await kit.kit.log.session(fork.id)
  assert.deepEqual([row?.author.peerId, row?.allow, row?.unattended], [ALICE, [], false])
  await assert.rejects(alice.resume(fork.id), { code: 'conflict' })
  await assert.rejects(kit.peer(BOB).get(fork.id), { code: 'not_found' })
  assert.equal((await kit.host.get(id)).state, 'running')
  script.release()
})

test('a peer forks only what it could begin itself', async () => {
  await using kit = await startPeersKit()
  await mkdir(join(kit.workspace, 'shared'))
  const { id } = await kit.host.create({})
  await kit.host.share(id, { peerId: ALICE, node: 'alice', rights: ['observe'] })
  await assert.rejects(kit.peer(BOB).fork(id), { code: 'not_found' })
  await assert.rejects(kit.peer(ALICE, { workspaces: [join(kit.workspace, 'shared')] }).fork(id), {
    code: 'forbidden',
    message: /workspace/,
  })
  await assert.rejects(kit.peer(ALICE, { agents: [] }).fork(id), { code: 'forbidden', message: /agent/ })
  kit.roles.set(ALICE, 'observer')
  await assert.rejects(kit.peer(ALICE).fork(id), { code: 'forbidden', message: /role observer/ })
})

test('a file that rules keep from peers is not listed to them and not read; this node’s person sees it', async () => {
  const runTurn = createTurnScript().runTurn
  await using kit = await startSessions(runTurn, { peerId: BOB, permissions: { rules: [{ tool: 'read', match: '*.env', action: 'ask' }] } })
  await writeFile(join(kit.workspace, 'a.env'), 'KEY=1')
  await writeFile(join(kit.workspace, 'a.txt'), 'text')
  await mkdir(join(kit.workspace, '.qmt'))
  await writeFile(join(kit.workspace, '.qmt', 'key'), 'secret')
  const host = kit.sessions.as({ peerId: BOB, node: 'host', user: 'root' })
  const guest = kit.sessions.as({ peerId: ALICE, node: 'alice' })
  const { id } = await host.create({})
  const paths = async (sessions: typeof host) => (await sessions.listFiles(id, { match: 'a' })).items.map(({ path }) => path)
  assert.deepEqual((await paths(guest)).includes('a.env'), false)
  assert.deepEqual((await paths(host)).slice(0, 2), ['a.env', 'a.txt'])
  await assert.rejects(guest.readFile(id, 'a.env'), { code: 'forbidden' })
  await assert.rejects(guest.readFile(id, 'none.env'), { code: 'forbidden' })
  await assert.rejects(host.readFile(id, '.qmt/key'), { code: 'forbidden' })
  assert.equal((await guest.readFile(id, 'a.txt')).mediaType, 'text/plain')
})
