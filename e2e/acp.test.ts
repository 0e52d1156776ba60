// `qmtcode --acp` as an editor starts it: a real process, driven by the SDK's own client.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Script, ScriptedLlm } from '@qmtcode/testing'
import { textBlocks } from '../packages/server/src/acp/editor-kit.ts'
import type { Editor } from '../packages/server/src/acp/editor-kit.ts'
import { startAcp } from './support/acp-process.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const DEMO = '[agent]\nprovider = "builtin"\nmodel = "demo"\n'

let llm: ScriptedLlm
before(async () => {
  const script: Script = {
    'fix the name': [
      [
        { reasoning: ['let me ', 'see'] },
        { text: ['I edit ', 'it.'] },
        { tool: 'edit', input: { path: 'a.txt', old_string: 'wrold', new_string: 'world' } },
      ],
      [{ text: 'Done.' }, { usage: { input: 120, output: 7 } }],
    ],
    'hello there': ['Good day.'],
    'take your time': [[{ text: 'Well' }, { fault: 'hang' }]],
    'with the wrong key': [[{ fault: { status: 401, message: 'no such key' } }]],
  }
  llm = await startScriptedLlm(script, { contextTokens: 8_192 })
})
after(() => llm.stop())

async function machineWith(config: string): Promise<Machine> {
  const machine = await createMachine()
  await machine.writeConfig(config)
  await writeFile(join(machine.workspace, 'a.txt'), 'hello wrold\n')
  return machine
}
const scripted = (): Promise<Machine> =>
  machineWith(`
[agent]
provider = "rack"
model = "scripted"
[providers.rack]
kind = "openai-compatible"
base_url = "${llm.url}"
`)

const open = async (editor: Editor, machine: Machine): Promise<string> =>
  (await editor.agent.request('session/new', { cwd: machine.workspace, mcpServers: [] })).sessionId
const ask = (editor: Editor, sessionId: string, text: string) =>
  editor.agent.request('session/prompt', { sessionId, prompt: textBlocks(text) })

test('the built-in model reads and writes in the directory of the editor, after it was asked', async () => {
  await using machine = await machineWith(DEMO)
  const asked: unknown[] = []
  await using editor = await startAcp(machine, [], {
    onPermission: ({ toolCall }) => {
      asked.push(toolCall.content)
      return 'allow'
    },
  })
  const sessionId = await open(editor, machine)
  const { stopReason } = await ask(editor, sessionId, 'read a.txt, then create notes.txt with hello')
  assert.equal(stopReason, 'end_turn')
  assert.equal(await readFile(join(machine.workspace, 'notes.txt'), 'utf8'), 'hello\n')
  assert.deepEqual(asked, [[{ type: 'diff', path: join(machine.workspace, 'notes.txt'), oldText: null, newText: 'hello\n' }]])
  assert.deepEqual(
    editor.of('tool_call').map(({ title, kind, locations }) => [title, kind, locations?.[0]?.path]),
    [
      ['Read a.txt', 'read', join(machine.workspace, 'a.txt')],
      ['Write notes.txt', 'edit', join(machine.workspace, 'notes.txt')],
    ],
  )
  assert.deepEqual(editor.of('tool_call_update').filter(({ status }) => status === 'completed').length, 2)
  assert.deepEqual(await editor.end(), { code: 0, stderr: '' })
})

test('thoughts, text, an edit and usage of a model arrive; another process loads the same and goes on', async () => {
  await using machine = await scripted()
  await using editor = await startAcp(machine, [], { onPermission: () => 'allow' })
  const sessionId = await open(editor, machine)
  const ended = await ask(editor, sessionId, 'fix the name')
  assert.equal(ended.stopReason, 'end_turn')
  assert.equal((ended as { usage?: { outputTokens: number } }).usage?.outputTokens, 12)
  const full = [{ sessionUpdate: 'usage_update', used: 127, size: 8_192 }] // of the last call
  assert.deepEqual(editor.of('usage_update'), full)
  assert.equal(await readFile(join(machine.workspace, 'a.txt'), 'utf8'), 'hello world\n')
  const thoughts = editor.of('agent_thought_chunk').map(({ content }) => (content.type === 'text' ? content.text : ''))
  assert.equal(thoughts.join(''), 'let me see')
  assert.equal(editor.said(), 'I edit it.Done.')

  await using second = await startAcp(machine) // a client of the first
  await second.agent.request('session/load', { sessionId, cwd: machine.workspace, mcpServers: [] })
  assert.equal(second.said(), editor.said())
  assert.equal(second.of('tool_call').length, 1)
  assert.deepEqual(second.of('usage_update'), full)
  await ask(second, sessionId, 'hello there')
  await editor.until('the answer to the other', () => editor.said().endsWith('Good day.'))
  assert.equal((await second.end()).code, 0)

  const listed = await editor.agent.request('session/list', { cwd: machine.workspace })
  assert.deepEqual(
    listed.sessions.map((row) => [row.sessionId, row.title]),
    [[sessionId, 'fix the name']],
  )
  assert.equal((await editor.end()).code, 0)
})

test('a model that fails is the error of the prompt, and the session goes on', async () => {
  await using machine = await scripted()
  await using editor = await startAcp(machine)
  const sessionId = await open(editor, machine)
  await assert.rejects(ask(editor, sessionId, 'with the wrong key'), /no such key/)
  assert.equal((await ask(editor, sessionId, 'hello there')).stopReason, 'end_turn')
})

test('the end of stdin in the middle of a turn ends the process cleanly', async () => {
  await using machine = await scripted()
  await using editor = await startAcp(machine)
  const sessionId = await open(editor, machine)
  const prompt = assert.rejects(ask(editor, sessionId, 'take your time'), /closed/i)
  await editor.until('the first word', () => editor.said() === 'Well')
  assert.deepEqual(await editor.end(), { code: 0, stderr: '' })
  await prompt
})

test('hostile lines on stdin are answered, and nothing else is on stdout', async () => {
  await using machine = await machineWith(DEMO)
  const hello = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: 1, clientCapabilities: {} } }
  const last = { jsonrpc: '2.0', id: 9, method: 'session/list', params: {} }
  const lines = [
    '\u0000\u00ff{',
    JSON.stringify(hello),
    '[1]',
    `"${'x'.repeat(20_000_000)}"`,
    `{"a":${'['.repeat(50_000)}`,
    JSON.stringify(last),
  ]
  const { code, stdout, stderr } = await machine.run(['--acp'], { stdin: `${lines.join('\n')}\n` })
  assert.equal(code, 0, stderr)
  const replies = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: unknown; result?: unknown; error?: { code: number } })
  assert.ok([1, 9].every((id) => replies.some((reply) => reply.id === id && reply.result !== undefined)))
  assert.deepEqual(
    replies.filter(({ error }) => error).map(({ error }) => error?.code),
    [-32_700, -32_600, -32_700, -32_700],
  )
})

test('--agent chooses the agent of new sessions; an unknown one is refused', async () => {
  await using machine = await machineWith(
    `${DEMO}\n[[delegates]]\nid = "helper"\nprovider = "builtin"\nmodel = "demo"\ndescription = "Helps"\n`,
  )
  await using editor = await startAcp(machine, ['--agent', 'helper'])
  await open(editor, machine)
  const { stdout } = await machine.run(['sessions', '--json'])
  assert.equal((JSON.parse(stdout) as { agent: string }[])[0]?.agent, 'helper')
  await using other = await startAcp(machine, ['--agent', 'nobody'])
  await assert.rejects(open(other, machine), /no agent nobody here/)
})

test('another node without a mesh is refused, exit 2', async () => {
  await using machine = await machineWith(DEMO)
  const { code, stdout, stderr } = await machine.run(['--acp', '--node', 'gpu-server'])
  assert.equal(code, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /the mesh is not enabled here/)
})

test('an editor whose node was killed goes on: its turn is interrupted, the next prompt runs', async () => {
  await using machine = await scripted()
  const first = await startAcp(machine)
  await open(first, machine)
  await using second = await startAcp(machine) // a client of the first
  const sessionId = await open(second, machine)
  const cut = assert.rejects(ask(second, sessionId, 'take your time'), /the turn was interrupted/)
  await second.until('the first word', () => second.said() === 'Well')
  await first.kill()
  await cut
  assert.equal((await ask(second, sessionId, 'hello there')).stopReason, 'end_turn')
  assert.equal((await second.end()).code, 0)
})
