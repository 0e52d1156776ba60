import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import type { SessionInfo } from '@qmtcode/protocol'
import { textBlocks } from '../packages/server/src/acp/editor-kit.ts'
import { startAcp } from './support/acp-process.ts'
import { noTerminal, openTerminal } from './support/pty.ts'
import type { Terminal } from './support/pty.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

/** A command that outlasts every test, known by its number. */
const longCommand = (number: number): string => `sleep ${4_711_000 + number}`

/** Whether a process runs that command, under whatever parent. */
async function runs(number: number): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.includes(`${longCommand(number).replaceAll(' ', '\0')}\0`)
}

interface Desk extends AsyncDisposable {
  machine: Machine
  /** The command of the model runs. */
  begun(): Promise<void>
  /** It runs no more, and its turn has ended. */
  over(): Promise<void>
}

let count = 0

async function startDesk({ sandbox }: { sandbox: 'auto' | 'off' }): Promise<Desk> {
  count += 1
  const number = count
  await using parts = new AsyncDisposableStack()
  const machine = parts.use(await createMachine())
  const llm = parts.use(await startScriptedLlm({ go: [[{ tool: 'shell', input: { command: longCommand(number) } }], 'done'] }))
  await machine.writeConfig(`
[mesh]
discovery = "none"
[providers.lab]
base_url = "${llm.url}"
[agent]
model = "lab/test"
[permissions]
sandbox = "${sandbox}"
[[permissions.rule]]
tool = "shell"
match = "sleep *"
action = "allow"
`)
  const owned = parts.move()
  return {
    machine,
    begun: async () => void (await eventually('the command runs', () => runs(number), 20_000)),
    over: async () => {
      await eventually('the command has ended', async () => !(await runs(number)), 10_000)
      const { stdout } = await machine.run(['sessions', '--json'])
      const [session] = JSON.parse(stdout) as SessionInfo[]
      assert.ok(session && session.state !== 'running', stdout)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const options = { skip: noTerminal }
const WAYS = ['close', 'SIGHUP', 'SIGTERM', 'SIGKILL'] as const
const CODES = { run: { SIGHUP: 129, SIGTERM: 130, SIGKILL: 137 }, chat: { SIGHUP: 129, SIGTERM: 130, SIGKILL: 137 } }

/** A terminal at which the command of the model runs. */
async function sitDown(desk: Desk, what: 'run' | 'chat'): Promise<Terminal> {
  const terminal = openTerminal(desk.machine, what === 'run' ? ['run', 'go'] : [])
  if (what === 'chat') {
    await terminal.shows(/^›$/m)
    terminal.type('go\r')
  }
  await desk.begun()
  return terminal
}

const leave = (terminal: Terminal, way: (typeof WAYS)[number]): void => (way === 'close' ? terminal.close() : terminal.signal(way))

for (const sandbox of ['auto', 'off'] as const) {
  for (const what of ['run', 'chat'] as const) {
    test(`sandbox ${sandbox}: however the terminal or the process of a ${what} goes, its command goes along`, options, async () => {
      for (const way of WAYS) {
        await using desk = await startDesk({ sandbox })
        await using terminal = await sitDown(desk, what)
        leave(terminal, way)
        await desk.over()
        if (way !== 'close') assert.equal(await terminal.ended(), CODES[what][way], way)
      }
    })
  }
}

test('a window that is closed ends what was asked for in it, also where another process is the node', options, async () => {
  for (const what of ['run', 'chat'] as const) {
    for (const way of ['close', 'SIGHUP'] as const) {
      await using desk = await startDesk({ sandbox: 'off' })
      const node = desk.machine.start(['--headless', '--mesh=/ip4/127.0.0.1/tcp/0'])
      await node.line(/listening/)
      await using terminal = await sitDown(desk, what)
      leave(terminal, way)
      await desk.over()
    }
  }
})

test('Ctrl-D leaves a turn to the node that runs it; nohup outlives the terminal', options, async () => {
  await using desk = await startDesk({ sandbox: 'off' })
  const node = desk.machine.start(['--headless', '--mesh=/ip4/127.0.0.1/tcp/0'], { env: { _: '/usr/bin/nohup' } })
  await node.line(/listening/)
  await using terminal = await sitDown(desk, 'chat')
  terminal.type('\u0004')
  assert.equal(await terminal.ended(), 0)
  node.process.kill('SIGHUP')
  const { stdout } = await desk.machine.run(['sessions', '--json'])
  assert.match(stdout, /"state": "running"/)
})

for (const isClient of [false, true]) {
  test(`however an editor goes, what it asked for goes along${isClient ? ', also where another process is the node' : ''}`, async () => {
    for (const how of ['end', 'pipes', 'SIGHUP', 'SIGTERM', ...(isClient ? [] : (['SIGKILL'] as const))] as const) {
      await using desk = await startDesk({ sandbox: 'off' })
      if (isClient) await desk.machine.start(['--headless', '--mesh=/ip4/127.0.0.1/tcp/0']).line(/listening/)
      await using editor = await startAcp(desk.machine)
      const { sessionId } = await editor.agent.request('session/new', { cwd: desk.machine.workspace, mcpServers: [] })
      const prompt = editor.agent.request('session/prompt', { sessionId, prompt: textBlocks('go') })
      const cut = prompt.then(
        ({ stopReason }) => assert.equal(stopReason, 'cancelled'),
        (error: unknown) => assert.match(String(error), /closed|interrupted|cancelled|aborted/i),
      )
      await desk.begun()
      if (how === 'end') await editor.end()
      else await editor.lose(how)
      await desk.over()
      await cut
    }
  })
}
