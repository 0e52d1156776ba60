// `qmtcode --acp --node gpu-server`: the editor is on the laptop, the session with its files and tools on the server.
import assert from 'node:assert/strict'
import { readFile, readdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { textBlocks } from '../packages/server/src/acp/editor-kit.ts'
import type { Editor } from '../packages/server/src/acp/editor-kit.ts'
import { startAcp } from './support/acp-process.ts'
import { shareWorkspace } from './support/shared-workspace.ts'

const NODE = ['--node', 'gpu-server']
const ask = (editor: Editor, sessionId: string, text: string) =>
  editor.agent.request('session/prompt', { sessionId, prompt: textBlocks(text) })

test('the session works in the workspace of the host; another editor loads it', async () => {
  await using pair = await shareWorkspace()
  await writeFile(join(pair.server.workspace, 'notes.txt'), 'the launch code is tangerine\n')
  await using editor = await startAcp(pair.laptop, NODE, { onPermission: () => 'allow' })
  const created = await editor.agent.request('session/new', { cwd: pair.laptop.workspace, mcpServers: [] })
  const { sessionId } = created
  assert.deepEqual(created._meta, { 'qmtcode/node': 'gpu-server', 'qmtcode/workspace': await realpath(pair.server.workspace) })
  const ended = await ask(editor, sessionId, 'read notes.txt, then create made.txt with hello')
  assert.equal(ended.stopReason, 'end_turn')
  assert.match(editor.said(), /tangerine/)
  assert.equal(await readFile(join(pair.server.workspace, 'made.txt'), 'utf8'), 'hello\n')
  assert.deepEqual(await readdir(pair.laptop.workspace), [])
  assert.deepEqual(
    editor.of('tool_call').map(({ locations }) => locations),
    [[], []],
    'paths of another machine are not for this editor to open',
  )

  await using second = await startAcp(pair.laptop, NODE)
  await second.agent.request('session/load', { sessionId, cwd: pair.laptop.workspace, mcpServers: [] })
  assert.equal(second.said(), editor.said())
  const listed = await second.agent.request('session/list', {})
  assert.deepEqual(
    listed.sessions.map((row) => row.sessionId),
    [sessionId],
  )
})

test("programs of the editor's machine are not run by the host", async () => {
  await using pair = await shareWorkspace()
  await using editor = await startAcp(pair.laptop, NODE)
  const mcpServers = [{ name: 'files', command: 'rm', args: ['-rf', '/'], env: [] }]
  await assert.rejects(
    editor.agent.request('session/new', { cwd: '/', mcpServers }),
    /gpu-server runs no MCP servers of its callers \(files\): they are commands of your machine/,
  )
})

test('what only the person at the host may allow waits for them, and the editor says so', async () => {
  await using pair = await shareWorkspace('shell = "ask"\n')
  await using editor = await startAcp(pair.laptop, NODE)
  const { sessionId } = await editor.agent.request('session/new', { cwd: '/', mcpServers: [] })
  const ended = ask(editor, sessionId, 'run id')
  const waiting = await editor.until('the waiting call', () => editor.of('tool_call_update').find(({ status }) => status === 'pending'))
  assert.match(JSON.stringify(waiting.content), /only the person at the host may allow it\. There: qmtcode attach ses_/)
  await editor.agent.notify('session/cancel', { sessionId })
  assert.equal((await ended).stopReason, 'cancelled')
})
