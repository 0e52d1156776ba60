import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { SessionInfo } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Answer, ScriptedLlm } from '@qmtcode/testing'
import { eventsOf, eventsOfType } from './support/output.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine, Running } from './support/qmt.ts'

const SERVE = ['--headless', '--mesh=/ip4/127.0.0.1/tcp/0']
const ANSWERS: Record<string, readonly Answer[]> = {
  quick: ['quick answer'],
  slow: [[{ text: 'slow ' }, { waitMs: 1_500 }, { text: 'answer' }]],
  endless: [[{ text: 'beginning' }, { fault: 'hang' }]],
}

/** A machine whose default model is scripted. */
async function createDesk(): Promise<AsyncDisposable & { machine: Machine; llm: ScriptedLlm }> {
  await using opening = new AsyncDisposableStack()
  const llm = opening.use(await startScriptedLlm(ANSWERS))
  const machine = opening.use(await createMachine())
  await machine.writeConfig(`[agent]
model = "rack/scripted"
[mesh]
enabled = false
discovery = "none"
[providers.rack]
base_url = "${llm.url}"
`)
  const opened = opening.move()
  return { machine, llm, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

async function startNode(machine: Machine): Promise<Running> {
  const node = machine.start(SERVE)
  await node.line(/listening: /)
  return node
}

const pidOf = async ({ home }: Machine): Promise<number> =>
  (JSON.parse(await readFile(join(home, 'node.json'), 'utf8')) as { pid: number }).pid

test('a second qmtcode works through the node that runs: its sessions are the node’s', async () => {
  await using desk = await createDesk()
  const { machine, llm } = desk
  const node = await startNode(machine)
  assert.equal((await stat(join(machine.home, 'node.sock'))).mode & 0o777, 0o600)
  assert.equal(await pidOf(machine), node.process.pid)
  const ran = await machine.run(['run', '--json', 'quick'])
  assert.equal(ran.code, 0, ran.stderr)
  const [message] = eventsOfType(eventsOf(ran.stdout), 'message.completed')
  assert.equal(message?.text, 'quick answer')
  assert.equal(llm.requests.length, 1)
  const listed = JSON.parse((await machine.run(['sessions', '--json'])).stdout) as SessionInfo[]
  assert.deepEqual(
    listed.map(({ id, state, title }) => [id, state, title]),
    [[message?.sessionId, 'idle', 'quick']],
  )
  const shown = await machine.run(['sessions', 'show', String(message?.sessionId)])
  assert.match(shown.stdout + shown.stderr, /quick answer/)
})

test('Ctrl-C of one command cancels its own turn only; the node and the others go on', async () => {
  await using desk = await createDesk()
  const { machine, llm } = desk
  const node = await startNode(machine)
  const mine = machine.start(['run', '--json', 'endless'])
  await mine.line(/"text":"beginning"/)
  const other = machine.start(['run', '--json', 'endless'])
  await other.line(/"text":"beginning"/)
  const [first, second] = await Promise.all([llm.request(0), llm.request(1)])
  mine.process.kill('SIGINT')
  await first.aborted
  const ended = await mine.ended
  assert.equal(ended.code, 130)
  assert.deepEqual(
    eventsOfType(eventsOf(ended.stdout), 'turn.ended').map(({ stopReason }) => stopReason),
    ['cancelled'],
  )
  assert.equal(llm.aborts, 1)
  assert.equal(node.process.exitCode ?? other.process.exitCode, null)
  other.process.kill('SIGINT')
  await second.aborted
  assert.equal((await other.ended).code, 130)
  assert.equal((await machine.run(['run', 'quick'])).stdout, 'quick answer\n')
})

test('a command that says another mesh than the one that runs: exit 2 with the pid', async () => {
  await using desk = await createDesk()
  const { machine } = desk
  const { pid } = (await startNode(machine)).process
  for (const args of [['--mesh=/ip4/127.0.0.1/tcp/1', 'sessions'], ['--mesh', 'sessions'], SERVE]) {
    const { code, stdout, stderr } = await machine.run(args)
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, new RegExp(`process ${pid}\\b`))
    assert.match(stderr, new RegExp(`hint: .*kill ${pid}`))
  }
  assert.equal((await machine.run(['--mesh=/ip4/127.0.0.1/tcp/0', 'sessions'])).code, 0, 'the same mesh is no other')
})

test('a node that is killed frees its home at once, and whoever worked through it is told', async () => {
  await using desk = await createDesk()
  const { machine } = desk
  const node = await startNode(machine)
  const guest = machine.start(['run', 'endless'])
  await guest.line(/beginning/)
  await node.kill('SIGKILL')
  const { code, stderr } = await guest.ended
  assert.equal(code, 3, stderr)
  assert.match(stderr, /error\[link_lost\]/)
  const [, id = ''] = stderr.match(/hint: .*sessions resume (ses_\w+)/) ?? []
  const listed = JSON.parse((await machine.run(['sessions', '--json'])).stdout) as SessionInfo[]
  assert.equal(listed.find((session) => session.id === id)?.state, 'interrupted')
  assert.equal((await machine.run(['run', 'quick'])).stdout, 'quick answer\n')
  await startNode(machine)
})

test('two nodes started at the same moment: one runs, the other says which', async () => {
  await using desk = await createDesk()
  const { machine } = desk
  const both = [machine.start(SERVE), machine.start(SERVE)]
  const loser = await Promise.race(both.map(async (node) => ({ node, ...(await node.ended) })))
  const winner = both.find((node) => node !== loser.node)
  assert.equal(loser.code, 2, loser.stderr)
  await winner?.line(/listening: /)
  assert.match(loser.stderr, new RegExp(`process ${winner?.process.pid}\\b`))
})

test('commands at the same moment all succeed: the first to come is the node until the last is done', async () => {
  await using desk = await createDesk()
  const { machine } = desk
  const ran = await Promise.all(['quick', 'slow', 'quick', 'slow'].map((prompt) => machine.run(['run', prompt])))
  assert.deepEqual(
    ran.map(({ code, stdout }) => [code, stdout]),
    [
      [0, 'quick answer\n'],
      [0, 'slow answer\n'],
      [0, 'quick answer\n'],
      [0, 'slow answer\n'],
    ],
    ran.map(({ stderr }) => stderr).join('\n'),
  )
})

test('a command that stays for others leaves at Ctrl-C, with its own exit code', async () => {
  await using desk = await createDesk()
  const { machine, llm } = desk
  await using failing = await startScriptedLlm(ANSWERS)
  const config = await readFile(join(machine.home, 'config.toml'), 'utf8')
  await machine.writeConfig(`${config}[providers.failing]\nbase_url = "${failing.url}"\n`)
  const first = machine.start(['run', '--model', 'failing/scripted', 'endless'])
  await failing.request(0)
  const second = machine.start(['run', 'endless'])
  await llm.request(0)
  await failing.stop()
  await first.line(/other qmtcode processes/)
  first.process.kill('SIGINT')
  assert.equal((await first.ended).code, 1)
  assert.equal((await second.ended).code, 3)
})
