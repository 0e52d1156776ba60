import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAppError, newPromptId, peerIdSchema } from '@qmtcode/protocol'
import type { DurableEvent, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { acpAgentCommand, eventually, isGone } from '@qmtcode/testing'
import { nodeFileSchema } from '../packages/cli/src/local/home-lock.ts'
import { connectLocal } from '../packages/cli/src/local/local-client.ts'
import { remoteHandle } from '../packages/cli/src/node/remote-handle.ts'
import { openNodeApi } from './support/node-api.ts'
import { eventsOf, eventsOfType } from './support/output.ts'
import { createMachine, startHost } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'
import { guestConfig } from './support/two-machines.ts'

const agentTable = `[[agents]]\nid = "claude"\nacp = ${JSON.stringify(acpAgentCommand())}\n`
const options = { timeout: 120_000 }

/** The laptop's node as a command beside it has it. */
async function openSocket(machine: Machine) {
  const { socket } = nodeFileSchema.parse(JSON.parse(await readFile(join(machine.home, 'node.json'), 'utf8')))
  const handle = await remoteHandle(connectLocal(socket))
  return { ...handle, [Symbol.asyncDispose]: () => handle.close() }
}

async function prompt(sessions: Sessions, id: SessionId, text: string): Promise<void> {
  await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text }] })
}

/** The events from `after` on, to the first that `isLast`. */
async function until(sessions: Sessions, id: SessionId, after: number, isLast: (event: SessionEvent) => unknown): Promise<SessionEvent[]> {
  const events: SessionEvent[] = []
  for await (const event of sessions.follow(id, { after, signal: AbortSignal.timeout(60_000) })) {
    events.push(event)
    if (isLast(event)) return events
  }
  throw new Error(`not in ${JSON.stringify(events)}`)
}

const isEnd = ({ type }: SessionEvent): boolean => type === 'turn.ended'
const isQuestion = ({ type }: SessionEvent): boolean => type === 'permission.requested'
const hasText =
  (text: string) =>
  (event: SessionEvent): boolean =>
    (event.type === 'message.delta' && event.text.includes(text)) || (event.type === 'message.snapshot' && event.textSoFar.includes(text))
const headOf = async (sessions: Sessions, id: SessionId): Promise<number> => (await sessions.get(id)).seq

test('a peer works with a foreign agent: its edits it allows itself, its commands need the person at the host', options, async () => {
  await using laptop = await createMachine()
  await using server = await createMachine()
  const share = `agents = ["claude"]\nworkspaces = ["${server.workspace}"]\nshell = "ask"\n`
  const { address, peerId } = await startHost(server, { guest: await laptop.peerId(), share, config: agentTable })
  await laptop.writeConfig(guestConfig(address))
  const node = laptop.start(['--headless', '--mesh'])
  await node.line(/gpu-server.*connected|connected.*gpu-server/)
  await using far = await openNodeApi(server)
  await using near = await openSocket(laptop)
  const guest = near.peers?.sessions(peerIdSchema.parse(peerId)) ?? assert.fail('the mesh is on')
  const listed = await laptop.run(['models', '--json'])
  const models = (JSON.parse(listed.stdout) as { id: string; agent?: string }[]).filter(({ agent }) => agent !== undefined)
  assert.deepEqual(
    models.map(({ id }) => id),
    ['gpu-server:claude/small', 'gpu-server:claude/large'],
    listed.stdout + listed.stderr,
  )
  const { id } = await guest.create({ agent: 'claude', model: 'claude/large' })
  await prompt(guest, id, 'settings')
  assert.match(textOf(await until(guest, id, 0, isEnd)), /model large/)
  await guest.configure(id, { model: 'claude/small' })
  const set = await headOf(guest, id)
  await prompt(guest, id, 'settings')
  assert.match(textOf(await until(guest, id, set, isEnd)), /model small/)
  const head = await headOf(guest, id)

  await prompt(guest, id, 'edit made.txt from afar')
  const [edit] = eventsOfType(await until(guest, id, head, isQuestion), 'permission.requested')
  assert.deepEqual([edit?.needs, edit?.reserved], [['edit'], undefined])
  await guest.answer(id, { id: edit?.id ?? '', answer: 'allow_session' })
  await until(guest, id, head, isEnd)
  assert.equal(await readFile(join(server.workspace, 'made.txt'), 'utf8'), 'from afar\n')

  for (const word of ['run', 'odd']) {
    const head = await headOf(guest, id)
    await prompt(guest, id, `edit made.txt once more\n${word} id`)
    const [asked] = eventsOfType(await until(guest, id, head, isQuestion), 'permission.requested')
    assert.deepEqual([asked?.needs, asked?.reserved], [['shell'], true], 'the edit was allowed for the session')
    const answer = { id: asked?.id ?? '', answer: 'allow' as const }
    await assert.rejects(guest.answer(id, answer), (error) => isAppError(error, 'forbidden'))
    await far.sessions.answer(id, answer)
    const [end] = eventsOfType(await until(guest, id, head, isEnd), 'turn.ended')
    assert.equal(end?.stopReason, 'completed')
  }
  assert.equal(await readFile(join(server.workspace, 'ran.txt'), 'utf8'), 'id\nid\n')
})

test('no pattern shares a foreign agent, and shell = "no" runs no command of it for a peer', options, async () => {
  await using laptop = await createMachine()
  await using server = await createMachine()
  const workspaces = `workspaces = ["${server.workspace}"]\n`
  const guest = await laptop.peerId()
  const first = await startHost(server, { guest, share: `agents = ["*"]\n${workspaces}`, config: agentTable })
  await laptop.writeConfig(guestConfig(first.address))
  const remote = (text: string) => laptop.run(['run', '--node', 'gpu-server', '--agent', 'claude', '--json', text])
  const refused = await remote('say hello')
  assert.equal(refused.code, 4, refused.stderr)
  assert.match(refused.stderr, /does not share the agent claude/)
  assert.doesNotMatch((await laptop.run(['models', '--json'])).stdout, /claude/)
  await first.node.kill()
  const second = await startHost(server, { guest, share: `agents = ["claude"]\n${workspaces}`, config: agentTable })
  await laptop.writeConfig(guestConfig(second.address))
  const ran = await remote('run id\nsay done')
  const events = eventsOf(ran.stdout)
  assert.equal(eventsOfType(events, 'permission.requested').length, 0)
  assert.match(eventsOfType(events, 'message.completed').at(-1)?.text ?? ran.stderr, /answer no\ndone/)
})

const startNode = async (machine: Machine) => {
  const node = machine.start(['--headless', '--mesh=/ip4/127.0.0.1/tcp/0'])
  await node.line(/listening: /)
  return node
}

const agentPid = async (machine: Machine): Promise<number> =>
  Number(await readFile(join(machine.env['HOME'] ?? '', '.acp-agent', 'agent.pid'), 'utf8'))

test('a node that is killed leaves no agent behind, and goes on in the session the agent had', options, async () => {
  await using machine = await createMachine()
  await machine.writeConfig(agentTable)
  const node = await startNode(machine)
  let id: SessionId
  {
    await using api = await openNodeApi(machine)
    ;({ id } = await api.sessions.create({ agent: 'claude', workspace: machine.workspace }))
    await prompt(api.sessions, id, 'say hello')
    await until(api.sessions, id, 0, isEnd)
    await prompt(api.sessions, id, 'slow 50\nrecall')
    await until(api.sessions, id, 0, hasText('word3'))
    const pid = await agentPid(machine)
    await node.kill('SIGKILL')
    await eventually('the agent ends', () => isGone(pid))
  }
  await startNode(machine)
  await using api = await openNodeApi(machine)
  const head = await headOf(api.sessions, id)
  await api.sessions.resume(id)
  await until(api.sessions, id, head, isEnd)
  const { items } = await api.sessions.history(id, { limit: 200 })
  const routes = eventsOfType(items, 'route.chosen').map(({ foreignSessionId }) => foreignSessionId)
  assert.equal(routes.length, 3)
  assert.equal(new Set(routes).size, 1, 'one session of the agent')
  const said = textOf(items)
  assert.match(said, /word49 \["say hello","slow 50\\nrecall","Your work on this prompt was interrupted\./)
  assert.doesNotMatch(said, /replayed/)
})

test('a cancelled prompt stops at once, an agent that clings to it is ended, and the node takes its agents along', options, async () => {
  await using machine = await createMachine()
  await machine.writeConfig(agentTable)
  const node = await startNode(machine)
  await using api = await openNodeApi(machine)
  const { sessions } = api
  const { id } = await sessions.create({ agent: 'claude', workspace: machine.workspace })
  const cancelled = async (text: string, word: string): Promise<void> => {
    const head = await headOf(sessions, id)
    await prompt(sessions, id, text)
    await until(sessions, id, head, hasText(word))
    await sessions.cancel(id)
    const [end] = eventsOfType(await until(sessions, id, head, isEnd), 'turn.ended')
    assert.equal(end?.stopReason, 'cancelled')
  }
  await cancelled('wait', 'waiting')
  const pid = await agentPid(machine)
  await cancelled('hang', 'hanging')
  await eventually('the agent ends', () => isGone(pid))
  const head = await headOf(sessions, id)
  await prompt(sessions, id, 'recall')
  const events = await until(sessions, id, head, isEnd)
  assert.match(textOf(events), /\["wait","hang","recall"\]/)
  const next = await agentPid(machine)
  await node.kill('SIGTERM')
  assert.ok(isGone(next))
})

const textOf = (events: readonly (DurableEvent | SessionEvent)[]): string =>
  eventsOfType(events, 'message.completed')
    .map(({ text }) => text)
    .join('')
