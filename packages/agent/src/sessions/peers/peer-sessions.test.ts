import assert from 'node:assert/strict'
import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDurable } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import type { TurnContext } from '../../turn/types.ts'
import { ALICE, BOB, startPeersKit, tell } from './peers-kit.ts'

const usage = { inputTokens: 0, outputTokens: 0 }

async function until(sessions: Sessions, id: SessionId, type: SessionEvent['type']): Promise<SessionEvent[]> {
  const seen: SessionEvent[] = []
  for await (const event of sessions.follow(id, { signal: AbortSignal.timeout(10_000) })) {
    seen.push(event)
    if (event.type === type) return seen
  }
  throw new Error(`no ${type}: ${seen.map((event) => event.type).join(', ')}`)
}

test('a peer creates a session with what is shared, and is its author', async () => {
  await using kit = await startPeersKit()
  const alice = kit.peer(ALICE)
  const info = await alice.create({ title: 'mine' })
  assert.equal(info.workspace, await realpath(kit.workspace))
  assert.equal(info.agent, 'coder')
  await tell(alice, info.id, 'hello')
  const seen = (await until(alice, info.id, 'turn.ended')).filter(isDurable)
  const authors = seen.flatMap((event) => ('author' in event ? [event.author] : []))
  assert.ok(authors.length >= 2, 'of the session, and of the prompt')
  for (const author of authors) assert.deepEqual(author, { peerId: ALICE, node: 'alice' })
  assert.equal((await alice.configure(info.id, { title: 'new' })).title, 'new')
})

test('what is not shared is forbidden, with the key that would share it', async () => {
  await using kit = await startPeersKit()
  const { workspace } = kit
  const refused = async (creating: Promise<unknown>, hint: RegExp) =>
    await assert.rejects(creating, (error: { code: string; hint: string }) => error.code === 'forbidden' && hint.test(error.hint))
  await refused(kit.peer(ALICE, { workspaces: [] }).create({}), /workspaces = /)
  await refused(kit.peer(ALICE, { agents: [] }).create({}), /agents = /)
  await refused(kit.peer(ALICE, { agents: ['other'] }).create({ agent: 'coder' }), /agents = \["other"\]/)
  await refused(kit.peer(ALICE).create({ workspace: '/etc' }), /workspaces = /)
  await refused(kit.peer(ALICE).create({ workspace: '/not/there' }), /workspaces = /)
  await refused(kit.peer(ALICE).create({ workspace: `${workspace}/../` }), /workspaces = /)
  await refused(kit.peer(ALICE, { models: ['own/*'] }).create({ model: 'other/model' }), /models = /)
  await refused(kit.peer(ALICE).create({ model: 'third:own/model' }), /without a node/)
  await refused(kit.peer(ALICE).create({ allow: ['edit', 'shell'] }), /may allow: edit/)
  kit.roles.set(ALICE, 'observer')
  await refused(kit.peer(ALICE).create({}), /peers role .* client/)
})

test('a link in a shared workspace does not lead out of it', async () => {
  await using kit = await startPeersKit()
  const outside = await mkdtemp(join(tmpdir(), 'qmt-outside-'))
  await symlink(outside, join(kit.workspace, 'link'))
  await mkdir(join(kit.workspace, 'inside'))
  const alice = kit.peer(ALICE)
  await assert.rejects(alice.create({ workspace: join(kit.workspace, 'link') }), { code: 'forbidden' })
  assert.equal((await alice.create({ workspace: join(kit.workspace, 'inside') })).workspace, await realpath(join(kit.workspace, 'inside')))
  await rm(outside, { recursive: true })
})

test('nobody but its creator and its host sees a session, an admin neither; members see rows as the configuration says', async () => {
  await using kit = await startPeersKit()
  const { id } = await kit.peer(ALICE).create({})
  const secret = await kit.peer(ALICE).create({ private: true })
  await kit.host.create({})
  const bob = kit.peer(BOB, { sessions: 'all' })
  const titles = async (sessions: Sessions) => (await sessions.list()).items.length
  const role = async (value: 'client' | 'member' | 'admin') => {
    kit.roles.set(BOB, value)
    return await titles(bob)
  }
  assert.equal(await titles(kit.peer(ALICE)), 2)
  assert.deepEqual([await role('client'), await role('member'), await role('admin')], [0, 2, 2])
  await assert.rejects(bob.history(id), { code: 'forbidden' })
  await assert.rejects(tell(bob, id, 'x'), { code: 'forbidden' })
  await role('member')
  assert.equal((await bob.get(id)).id, id)
  await assert.rejects(bob.history(id), { code: 'forbidden' })
  await assert.rejects(bob.get(secret.id), { code: 'not_found' })
  await role('client')
  const { signal } = new AbortController()
  const attempts: (() => Promise<unknown>)[] = [
    () => bob.get(id),
    () => bob.history(id),
    () => bob.follow(id, { signal })[Symbol.asyncIterator]().next(),
    () => tell(bob, id, 'x'),
    () => bob.answer(id, { id: 'x', answer: 'allow' }),
    () => bob.cancel(id),
    () => bob.resume(id),
    () => bob.configure(id, { title: 'x' }),
    () => bob.close(id),
    () => bob.delete(id),
  ]
  for (const attempt of attempts) await assert.rejects(attempt(), { code: 'not_found' })
  assert.equal((await kit.host.get(id)).seq, 1)
})

test("what is reserved is the host's person's to answer, anything else the creator's too", async () => {
  const ask = async (turn: TurnContext, reserved: boolean) => {
    const request = { callId: 'c', tool: reserved ? 'shell' : 'edit', input: {}, summary: 'do it', ...(reserved && { reserved }) }
    return (await turn.ask(request)).answer
  }
  const guests: (string | undefined)[] = []
  await using kit = await startPeersKit(async (turn) => {
    guests.push(turn.guest)
    assert.equal(await ask(turn, false), 'allow')
    assert.equal(await ask(turn, true), 'allow')
    return { stopReason: 'completed', usage }
  })
  const alice = kit.peer(ALICE)
  const { id } = await alice.create({})
  await tell(alice, id, 'go')
  for await (const event of alice.follow(id, { signal: AbortSignal.timeout(10_000) })) {
    if (event.type === 'turn.ended') {
      assert.equal(event.stopReason, 'completed', JSON.stringify(event))
      break
    }
    if (event.type !== 'permission.requested') continue
    if (!event.reserved) await alice.answer(id, { id: event.id, answer: 'allow' })
    else {
      await assert.rejects(alice.answer(id, { id: event.id, answer: 'allow' }), { code: 'forbidden', message: /only the person at host/ })
      await assert.rejects(kit.host.answer(id, { id: event.id, answer: 'allow_session' }), { code: 'bad_request', message: /allowed once/ })
      await kit.host.answer(id, { id: event.id, answer: 'allow' })
    }
  }
  assert.deepEqual(guests, [ALICE])
})
