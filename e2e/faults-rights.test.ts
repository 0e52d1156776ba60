import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError, newPromptId } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { createTurnScript, eventually, followUntil, startScriptedLlm } from '@qmtcode/testing'
import { startHostAndFollower } from './support/host-and-follower.ts'
import { startMeshSessions } from './support/mesh-sessions.ts'
import { eventsOf } from './support/output.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'
import { shareWorkspace } from './support/shared-workspace.ts'
import { guestConfig } from './support/two-machines.ts'

const CUT_MS = 2_000 // a second by design, and a busy machine

/** A follow of which the first event was heard; `ended` is what ended it. */
async function following(sessions: Sessions, id: SessionId): Promise<{ seen: SessionEvent[]; ended: Promise<unknown> }> {
  const seen: SessionEvent[] = []
  const ended = (async () => {
    for await (const event of sessions.follow(id, { signal: AbortSignal.timeout(60_000) })) seen.push(event)
  })().catch((error: unknown) => error)
  await eventually('it follows', () => seen.length > 0)
  return { seen, ended }
}

async function within(ms: number, ended: Promise<unknown>): Promise<unknown> {
  const startedAt = performance.now()
  const reason = await ended
  assert.ok(performance.now() - startedAt < ms, `ended after ${performance.now() - startedAt} ms`)
  return reason
}

test('a follow and a prompt under way end at once when the share is taken, the role lowered, the peer banned', async () => {
  const script = createTurnScript()
  await using mesh = await startMeshSessions(script.runTurn)
  await mesh.connected('alice')
  await mesh.connected('bob')
  const host = mesh.hostNode()
  const bobId = mesh.guests.bob.peerId
  const [alice, bob] = [mesh.guests.alice.peers.sessions(host.peerId), mesh.guests.bob.peers.sessions(host.peerId)]
  const { id } = await alice.create({})
  const give = () => alice.share(id, { peerId: bobId, node: 'bob', rights: ['prompt'] })

  await give()
  const shared = await following(bob, id)
  await bob.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'wait' }] })
  await followUntil(alice, id, ({ type }) => type === 'message.delta' || type === 'message.snapshot')
  await alice.unshare(id, bobId)
  const taken = await within(CUT_MS, shared.ended)
  assert.ok(isAppError(taken, 'not_found'), String(taken))
  assert.equal(shared.seen.at(-1)?.type, 'session.unshared')
  const end = (await followUntil(alice, id, ({ type }) => type === 'turn.ended')).at(-1) // nobody released it
  assert.ok(end?.type === 'turn.ended' && end.stopReason === 'failed' && end.error?.code === 'forbidden', JSON.stringify(end))
  assert.ok(!shared.seen.some(({ type }) => type === 'turn.ended'))

  await give()
  const { ended } = await following(bob, id)
  await host.trust.setRole(bobId, 'observer')
  assert.ok(isAppError(await within(CUT_MS, ended), 'link_lost', 'forbidden'))
  await eventually('what it was given it still has', async () => (await bob.get(id)).id === id)
  await assert.rejects(bob.create({}), { code: 'forbidden' })

  const last = await following(bob, id)
  await host.trust.ban(bobId)
  assert.ok(isAppError(await within(CUT_MS, last.ended), 'link_lost', 'forbidden'))
  await assert.rejects(bob.get(id), (error) => isAppError(error, 'link_lost', 'forbidden', 'peer_unreachable', 'not_admitted'))
  await eventually('the host names it no more', async () => (await mesh.host.as('person').get(id)).followers.length === 0)
})

test('sessions share and unshare: another node sees, prompts, and is out again', async () => {
  await using pair = await shareWorkspace()
  const { laptop, server } = pair
  const made = await server.run(['run', '--json', 'list files'])
  assert.equal(made.code, 0, made.stderr)
  const id = (JSON.parse(made.stdout.split('\n')[0] ?? '') as { sessionId: string }).sessionId
  const look = () => laptop.run(['attach', `gpu-server/${id}`, '--no-follow', '--json'])
  assert.equal((await look()).code, 1)

  const shared = await server.run(['sessions', 'share', id, '--with', 'laptop', '--as', 'prompt'])
  assert.equal(shared.code, 0, shared.stderr)
  assert.match(shared.stdout, /shared with laptop: observe, prompt/)
  const seen = await look()
  assert.equal(seen.code, 0, seen.stderr)
  assert.match(seen.stdout, /"type":"session\.shared"/)
  const asked = await laptop.run(['run', '--node', 'gpu-server', '--session', id, 'list files'])
  assert.equal(asked.code, 0, asked.stderr)
  const deleted = await laptop.run(['sessions', 'share', `gpu-server/${id}`, '--with', 'gpu-server', '--as', 'control'])
  assert.equal(deleted.code, 4, deleted.stderr)
  assert.match(deleted.stderr, /error\[forbidden\]/)

  const taken = await server.run(['sessions', 'unshare', id, '--with', 'laptop'])
  assert.equal(taken.code, 0, taken.stderr)
  const gone = await look()
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /not_found/)
})

test('a stranger under trust = "open" is admitted, lowered, and known when the door is closed: each refusal says why and leaves nothing', async () => {
  await using laptop = await createMachine()
  await using server = await createMachine()
  const laptopId = await laptop.peerId()
  const config = (port: string, trust: string): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/${port}"
discovery = "none"
node_name = "gpu-server"
trust = "${trust}"
[mesh.share]
agents = ["*"]
workspaces = ["${server.workspace}"]
[agent]
model = "builtin/demo"
`
  const done = async (machine: Machine, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await machine.run(words)
    assert.equal(code, 0, stderr)
    return stdout
  }
  const refused = async (why: RegExp, ...words: string[]): Promise<void> => {
    const { code, stderr } = await laptop.run(words)
    assert.equal(code, 4, stderr)
    assert.match(stderr, why)
  }
  await server.writeConfig(config('0', 'open'))
  const open = server.start(['--headless', '--mesh'])
  const [, address = '', port = ''] = await open.line(/listening: (\S+\/tcp\/(\d+)\/p2p\/\S+)/)
  await laptop.writeConfig(guestConfig(address))
  const ask = ['run', '--node', 'gpu-server', '--json', 'list files']

  await refused(/gpu-server/, ...ask)
  assert.deepEqual(JSON.parse(await done(server, 'sessions', '--json')), [])
  await done(server, 'peers', 'admit', laptopId, '--role', 'client', '--yes')
  const id = eventsOf(await done(laptop, ...ask))[0]?.sessionId ?? assert.fail('no session')

  await done(server, 'peers', 'role', laptopId, 'observer', '--yes')
  const before = await done(server, 'sessions', 'show', id, '--json')
  await refused(
    /error\[forbidden\]: .*prompt is not allowed to this node; it needs the right prompt/,
    ...ask.slice(0, 3),
    '--session',
    id,
    'again',
  )
  await refused(/error\[forbidden\]: the role observer, .* may not call sessions create\n.*qmtcode peers role/, ...ask)
  assert.equal(await done(server, 'sessions', 'show', id, '--json'), before)

  await done(server, 'peers', 'role', laptopId, 'client', '--yes')
  await open.kill()
  await server.writeConfig(config(port, 'known'))
  await server.start(['--headless', '--mesh']).line(/listening: /)
  await done(laptop, ...ask.slice(0, 3), '--session', id, 'again')
  await using tablet = await createMachine()
  await tablet.writeConfig(guestConfig(address))
  const stranger = await tablet.run(ask)
  assert.equal(stranger.code, 4, stranger.stderr)
  assert.match(stranger.stderr, /not_admitted/)
})

test('shell = "ask": the person at the host answers what a peer caused, and the command runs there', async () => {
  const command = 'echo ran-at-host > proof.txt'
  await using llm = await startScriptedLlm({ 'use the shell': [[{ tool: 'shell', input: { command } }], 'all done'] })
  await using pair = await startHostAndFollower({ url: llm.url, share: 'shell = "ask"\n' })
  await using there = await pair.openThere()
  await using here = await pair.openHost()
  const { id } = await there.sessions.create({})
  await there.sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'use the shell' }] })
  const asked = (await followUntil(here.sessions, id, ({ type }) => type === 'permission.requested')).at(-1)
  assert.ok(asked?.type === 'permission.requested')
  assert.equal(asked.reserved, true)
  assert.deepEqual(asked.author, { peerId: pair.followerId, node: 'laptop' }) // whose prompt caused it
  await assert.rejects(there.sessions.answer(id, { id: asked.id, answer: 'allow' }), {
    code: 'forbidden',
    message: /only the person at gpu-server/,
  })
  await here.sessions.answer(id, { id: asked.id, answer: 'allow' })
  const seen = await followUntil(there.sessions, id, ({ type }) => type === 'turn.ended')
  const answered = seen.find((event) => event.type === 'permission.answered')
  assert.ok(answered?.type === 'permission.answered' && answered.by?.peerId === pair.hostId)
  const ran = seen.find((event) => event.type === 'tool.ended')
  assert.ok(ran?.type === 'tool.ended' && !ran.isError, JSON.stringify(ran))
  const end = seen.at(-1)
  assert.ok(end?.type === 'turn.ended' && end.stopReason === 'completed')
})
