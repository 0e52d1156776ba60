import assert from 'node:assert/strict'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { acpAgentCommand } from '@qmtcode/testing'
import { textBlocks } from '../packages/server/src/acp/editor-kit.ts'
import { startAcp } from './support/acp-process.ts'
import { eventsOf, eventsOfType } from './support/output.ts'
import { noTerminal, openTerminal } from './support/pty.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const table = (...flags: Parameters<typeof acpAgentCommand>): string =>
  `[mesh]\nenabled = false\n[[agents]]\nid = "claude"\nname = "Claude"\ndescription = "Another maker's."\nacp = ${JSON.stringify(acpAgentCommand(...flags))}\n`

async function startMachine(config = table()): Promise<Machine> {
  const machine = await createMachine({ OTHERS_KEY: 'for the agent' })
  await machine.writeConfig(config)
  return machine
}

const run = (machine: Machine, prompt: string, ...flags: string[]) =>
  machine.run(['run', '--json', ...(flags.includes('--session') ? [] : ['--agent', 'claude']), ...flags, prompt])

test('a foreign agent is listed, and answers a prompt: text, thoughts, a plan, usage, its own environment', async () => {
  await using machine = await startMachine()
  const listed = await machine.run(['agents', '--json'])
  const rows = JSON.parse(listed.stdout) as { id: string; kind: string; capabilities: string[]; name: string; description: string }[]
  const { id, kind, capabilities, name, description } =
    rows.find((row) => row.id === 'claude') ?? assert.fail(listed.stdout + listed.stderr)
  assert.deepEqual(
    { id, kind, capabilities, name, description },
    {
      id: 'claude',
      kind: 'local',
      capabilities: ['acp'],
      name: 'Claude',
      description: "Another maker's.",
    },
  )
  const ran = await run(
    machine,
    'think about it\nplan\nsay hello\njunk\nenv OTHERS_KEY\nenv QMT_HOME\nsettings\ncontext 1500',
    '--model',
    'claude/large',
  )
  assert.equal(ran.code, 0, ran.stderr)
  const events = eventsOf(ran.stdout)
  const [message] = eventsOfType(events, 'message.completed')
  assert.equal(message?.text, 'hello\nOTHERS_KEY=for the agent\nQMT_HOME=\nmodel large, mode default\n')
  assert.match(JSON.stringify(message?.content[0]), /about it\\nPlan:\\n\[x\] look/)
  const [route] = eventsOfType(events, 'route.chosen')
  assert.deepEqual([route?.agentId, route?.model, route?.reason], ['claude', 'claude/large', 'ACP agent'])
  assert.ok(route?.foreignSessionId)
  const [ended] = eventsOfType(events, 'turn.ended')
  assert.deepEqual([ended?.stopReason, ended?.usage.inputTokens, ended?.usage.outputTokens], ['completed', 11, 7])
  assert.deepEqual(ended?.usage.context, { used: 1_500, size: 200_000 })

  const plain = await machine.run(['run', '--agent', 'claude', 'say hello'])
  assert.equal(plain.stdout, 'hello\n', plain.stderr)
  const wrong = await run(machine, 'say hello', '--model', 'claude/huge')
  assert.equal(wrong.code, 1, wrong.stderr)
  assert.match(wrong.stdout, /has no model claude\/huge.*claude\/small, claude\/large/)
})

test('its models are listed and chosen: models, /model in the chat, the options of an editor; it keeps no session for that', async () => {
  await using machine = await startMachine(table().replace('[mesh]\nenabled = false\n', ''))
  const sessionsOfAgent = async (): Promise<string[]> =>
    (await readdir(join(machine.env['HOME'] ?? '', '.acp-agent'))).filter((name) => name.endsWith('.json'))
  const node = machine.start(['--headless', '--mesh=/ip4/127.0.0.1/tcp/0'])
  await node.line(/listening: /)
  const listed = await machine.run(['models', '--json'])
  const rows = (JSON.parse(listed.stdout) as { id: string; agent?: string }[]).filter(({ agent }) => agent === 'claude')
  assert.deepEqual(
    rows.map(({ id }) => id.replace(/^[^:]*:/, '')),
    ['claude/small', 'claude/large'],
    listed.stdout + listed.stderr,
  )
  assert.deepEqual(await sessionsOfAgent(), [])
  assert.match((await machine.run(['models'])).stdout, /claude\/large +- +up +--agent claude/)

  await using editor = await startAcp(machine, ['--agent', 'claude'])
  const { sessionId, configOptions } = await editor.agent.request('session/new', { cwd: machine.workspace, mcpServers: [] })
  const model = configOptions?.find(({ category }) => category === 'model')
  assert.ok(model?.type === 'select')
  assert.deepEqual(
    [model.currentValue, model.options.map((one) => 'value' in one && [one.value, one.name])],
    [
      'claude/small',
      [
        ['claude/small', 'SMALL'],
        ['claude/large', 'LARGE'],
      ],
    ],
  )
  await editor.agent.request('session/set_config_option', { sessionId, configId: 'model', value: 'claude/large' })
  await editor.agent.request('session/prompt', { sessionId, prompt: textBlocks('settings') })
  assert.match(editor.said(), /model large/)
  assert.equal((await sessionsOfAgent()).length, 1)

  if (noTerminal !== undefined) return
  await using chat = openTerminal(machine, ['attach', sessionId])
  await chat.shows(/model large[^]*^›$/m)
  chat.type('/model\r')
  await chat.shows(/model: claude\/large\n +\/model claude\/small +SMALL\n +\/model claude\/large +LARGE\n›$/)
  chat.type('/model claude/small\r')
  await chat.shows(/model: claude\/small\n/)
  chat.type('settings\r')
  await chat.shows(/model small, mode default/)
})

test('its tools are in the log, and ask by our rules', async () => {
  await using machine = await startMachine()
  const denied = await run(machine, 'run touch me\nwrite made.txt hello\nterminal')
  const events = eventsOf(denied.stdout)
  const [started] = eventsOfType(events, 'tool.started')
  assert.deepEqual([started?.name, started?.input], ['execute', { command: 'touch me' }])
  const [asked] = eventsOfType(events, 'permission.requested')
  assert.deepEqual([asked?.callId, asked?.needs], [started?.callId, ['shell']])
  assert.match(asked?.summary ?? '', /touch me/)
  assert.deepEqual(
    eventsOfType(events, 'tool.ended').map(({ name, isError }) => [name, isError]),
    [
      ['execute', true],
      ['write_file', true],
    ],
  )
  const text = eventsOfType(events, 'message.completed')
    .map((event) => event.text)
    .join('')
  assert.match(text, /answer no/)
  assert.match(text, /refused: .*not allowed/)
  assert.match(text, /refused: .*Method not found/i)

  await writeFile(join(machine.workspace, 'notes.txt'), 'tangerine\n')
  const allowed = await run(
    machine,
    'run touch me\nedit made.txt new text\nread notes.txt\nread /etc/hostname\nread ../home/config.toml',
    '--allow',
    'edit,shell',
  )
  const more = eventsOf(allowed.stdout)
  assert.equal(await readFile(join(machine.workspace, 'ran.txt'), 'utf8'), 'touch me\n')
  assert.equal(await readFile(join(machine.workspace, 'made.txt'), 'utf8'), 'new text\n')
  assert.match(
    eventsOfType(more, 'tool.ended')
      .map(({ output }) => output)
      .join('\n'),
    /\+new text/,
  )
  const said = eventsOfType(more, 'message.completed')
    .map((event) => event.text)
    .join('')
  assert.match(said, /tangerine/)
  assert.match(said, /nobody can answer/)
  assert.match(said, /closed to tools/)
})

test('what goes wrong with an agent is said, and the session goes on with the next prompt', { timeout: 180_000 }, async () => {
  await using machine = await startMachine(table().replace('acp =', 'idle_secs = 2\nacp ='))
  const first = await run(machine, 'say hello')
  const id = eventsOf(first.stdout)[0]?.sessionId ?? assert.fail(first.stderr)
  const cases: [prompt: string, error: RegExp][] = [
    ['crash', /agent claude ended in the middle \(exit code 3\): the agent lost its mind/],
    ['garbage', /does not speak ACP on its stdout: \\"garbage/],
    ['endless', /a line of more than 33554432 bytes/],
    ['hang', /agent claude said nothing for 2 s/],
  ]
  for (const [prompt, error] of cases) {
    const broken = await run(machine, prompt, '--session', id)
    assert.equal(broken.code, 1, broken.stderr)
    assert.match(broken.stdout, error)
  }
  const after = await run(machine, 'recall', '--session', id)
  assert.equal(after.code, 0, after.stderr)
  assert.equal(
    eventsOfType(eventsOf(after.stdout), 'message.completed').at(-1)?.text,
    '["say hello","crash","garbage","endless","hang","recall"]',
  )
})

test('an agent without a memory is told what was before', async () => {
  await using machine = await startMachine(table('--no-load'))
  const first = await run(machine, 'say the code is tangerine')
  const id = eventsOf(first.stdout)[0]?.sessionId ?? assert.fail(first.stderr)
  const second = await run(machine, 'recall', '--session', id)
  const told = eventsOfType(eventsOf(second.stdout), 'message.completed').at(-1)?.text ?? ''
  assert.match(told, /User: say the code is tangerine\\n\\nYou: the code is tangerine/)
})

test('a command that is not there is a clear error', async () => {
  await using machine = await startMachine('[[agents]]\nid = "claude"\nacp = ["no-such-agent", "acp"]\n')
  const ran = await machine.run(['run', '--agent', 'claude', 'say hello'])
  assert.notEqual(ran.code, 0)
  assert.match(ran.stderr, /agent claude cannot be started: there is no command no-such-agent/)
  assert.match(ran.stderr, /install it/)
})

test('an editor works with a foreign agent by --acp --agent, and attach shows that session', async () => {
  await using machine = await startMachine()
  await using editor = await startAcp(machine, ['--agent', 'claude'])
  const { sessionId } = await editor.agent.request('session/new', { cwd: machine.workspace, mcpServers: [] })
  const ended = await editor.agent.request('session/prompt', { sessionId, prompt: textBlocks('say hello editor') })
  assert.equal(ended.stopReason, 'end_turn')
  assert.match(editor.said(), /hello editor/)
  const shown = await machine.run(['attach', sessionId, '--no-follow', '--json'])
  assert.equal(shown.code, 0, shown.stderr)
  const events = eventsOf(shown.stdout)
  assert.equal(eventsOfType(events, 'session.created')[0]?.agent, 'claude')
  assert.equal(eventsOfType(events, 'message.completed')[0]?.text, 'hello editor\n')
})
