// serveAcp over the product's sessions, driven by the SDK's own client. Each message of ours is checked against the published schema.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import type { SessionId, Sessions } from '@qmtcode/protocol'
import { createTurnScript, eventually, followUntil } from '@qmtcode/testing'
import type { TurnScript } from '@qmtcode/testing'
import { textBlocks as text } from '../packages/server/src/acp/editor-kit.ts'
import type { Editor } from '../packages/server/src/acp/editor-kit.ts'
import { openServedEditor } from './support/served-editor.ts'
import type { ServedEditorOptions } from './support/served-editor.ts'
import { startSessionsHost } from './support/sessions-host.ts'
import type { SessionsHost } from './support/sessions-host.ts'

let script: TurnScript
let host: SessionsHost
let sessions: Sessions
before(async () => {
  script = createTurnScript()
  host = await startSessionsHost((turn) => script.runTurn(turn))
  sessions = host.as('ann')
})
after(() => host[Symbol.asyncDispose]())

const edit = (options: ServedEditorOptions = {}): Promise<Editor> =>
  openServedEditor(sessions, { models: () => Promise.resolve(['p/one', 'box:p/two']), ...options })
const open = async ({ agent }: Editor): Promise<SessionId> =>
  (await agent.request('session/new', { cwd: host.workspace, mcpServers: [] })).sessionId as SessionId
const refusal = (promise: Promise<unknown>, code: number, message: RegExp): Promise<void> =>
  assert.rejects(promise, (error: Error & { code?: number }) => {
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })

test('a prompt streams its answer under one message id, and ends with reason and usage', async () => {
  await using editor = await edit()
  const sessionId = await open(editor)
  const ended = await editor.agent.request('session/prompt', { sessionId, prompt: text('say one two three') })
  assert.equal(ended.stopReason, 'end_turn')
  assert.deepEqual((ended as { usage?: object }).usage, { totalTokens: 15, inputTokens: 10, outputTokens: 5 })
  assert.equal(editor.said(), 'one two three')
  assert.equal(new Set(editor.of('agent_message_chunk').map(({ messageId }) => messageId)).size, 1)
  assert.deepEqual(editor.of('user_message_chunk'), [])
  assert.equal(editor.of('session_info_update').at(-1)?.title, 'say one two three')
})

test('a permission is asked with its choices, and the answer reaches the turn', async () => {
  for (const [chosen, answer] of [
    ['allow', 'allow'],
    ['allow_session', 'allow_session'],
    ['deny', 'deny'],
    ['cancelled', 'deny'], // nobody else can be asked in this editor's place
  ] as const) {
    await using editor = await edit({
      onPermission: ({ options, toolCall }) => {
        assert.deepEqual(
          options.map(({ kind }) => kind),
          ['allow_once', 'allow_always', 'reject_once'],
        )
        assert.equal(toolCall.title, 'run: true')
        return chosen
      },
    })
    await editor.agent.request('session/prompt', { sessionId: await open(editor), prompt: text('ask') })
    assert.equal(editor.said(), `answer: ${answer}`)
  }
})

test('a question answered elsewhere is withdrawn from the editor', async () => {
  const asked = Promise.withResolvers<AbortSignal>()
  await using editor = await edit({
    onPermission: (_, signal) => {
      asked.resolve(signal)
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve('cancelled')))
    },
  })
  const sessionId = await open(editor)
  const ended = editor.agent.request('session/prompt', { sessionId, prompt: text('ask') })
  const signal = await asked.promise
  await answerAsBob(sessionId, 'allow')
  await ended
  assert.equal(signal.aborted, true)
  assert.equal(editor.said(), 'answer: allow')
})

async function answerAsBob(id: SessionId, answer: 'allow' | 'deny'): Promise<void> {
  const events = await followUntil(sessions, id, ({ type }) => type === 'permission.requested')
  const question = events.find((event) => event.type === 'permission.requested')
  assert.ok(question?.type === 'permission.requested')
  await host.as('bob').answer(id, { id: question.id, answer })
}

test('session/cancel ends the turn, also right behind its prompt', async () => {
  await using editor = await edit()
  const sessionId = await open(editor)
  for (const settled of [true, false]) {
    const before = editor.updates.length
    const ended = editor.agent.request('session/prompt', { sessionId, prompt: text('wait') })
    if (settled)
      await editor.until('half of the answer', () => editor.updates.slice(before).some((u) => u.sessionUpdate === 'agent_message_chunk'))
    await editor.agent.notify('session/cancel', { sessionId })
    assert.equal((await ended).stopReason, 'cancelled')
  }
})

test('session/cancel withdraws what waits, too', async () => {
  await using editor = await edit()
  const sessionId = await open(editor)
  const first = editor.agent.request('session/prompt', { sessionId, prompt: text('wait') })
  const second = editor.agent.request('session/prompt', { sessionId, prompt: text('say never') })
  await editor.until('half of the answer', () => editor.said() !== '')
  await editor.agent.notify('session/cancel', { sessionId })
  assert.deepEqual(
    (await Promise.all([first, second])).map(({ stopReason }) => stopReason),
    ['cancelled', 'cancelled'],
  )
  assert.equal(editor.said(), 'first ')
})

test('$/cancel_request of a prompt ends its turn', async () => {
  await using editor = await edit()
  const sessionId = await open(editor)
  const cancel = new AbortController()
  const ended = editor.agent.request('session/prompt', { sessionId, prompt: text('wait') }, { cancellationSignal: cancel.signal })
  await editor.until('half of the answer', () => editor.said() !== '')
  cancel.abort()
  assert.equal((await ended).stopReason, 'cancelled')
})

test('session/load sends the whole conversation before it answers, session/resume none of it; both go on live', async () => {
  const { id } = await sessions.create({ workspace: host.workspace })
  await sessions.prompt(id, { promptId: 'p1' as never, content: text('say what was') })
  await followUntil(sessions, id, ({ type }) => type === 'turn.ended')
  const setup = { sessionId: id, cwd: host.workspace, mcpServers: [] }

  await using loading = await edit()
  const loaded = await loading.agent.request<{ modes: { currentModeId: string } }>('session/load', setup)
  assert.equal(loaded.modes.currentModeId, 'build')
  assert.deepEqual(
    loading.updates.map(({ sessionUpdate }) => sessionUpdate),
    ['user_message_chunk', 'agent_message_chunk'],
  )
  assert.equal(loading.said(), 'what was')
  await using resuming = await edit()
  await resuming.agent.request('session/resume', setup)
  assert.deepEqual(resuming.updates, [])

  await host.as('bob').prompt(id, { promptId: 'p2' as never, content: text('say now') })
  for (const editor of [loading, resuming]) {
    await editor.until('the live answer', () => editor.said().endsWith('now'))
    assert.deepEqual(editor.of('user_message_chunk').at(-1)?.content, { type: 'text', text: 'say now' })
  }
})

test('a question that was open before is asked on load and on resume, and says whose it is', async () => {
  const { id } = await sessions.create({ workspace: host.workspace })
  await host.as('bob').prompt(id, { promptId: 'p' as never, content: text('ask') })
  await followUntil(sessions, id, ({ type }) => type === 'permission.requested')
  for (const method of ['session/load', 'session/resume'] as const) {
    const asked = Promise.withResolvers<string | null | undefined>()
    await using editor = await edit({
      onPermission: ({ toolCall }) => {
        asked.resolve(toolCall.title)
        return method === 'session/resume' ? 'allow' : 'cancelled' // not ours: others may answer
      },
    })
    await editor.agent.request(method, { sessionId: id, cwd: host.workspace, mcpServers: [] })
    assert.equal(await asked.promise, 'run: true (asked by bob)')
  }
  await followUntil(sessions, id, ({ type }) => type === 'turn.ended')
  const { items } = await sessions.history(id)
  assert.equal(items.find((event) => event.type === 'permission.answered')?.answer, 'allow')
})

test('an editor that goes ends what it asked for, and leaves what others run', async () => {
  for (const isOurs of [true, false]) {
    const asked = Promise.withResolvers<void>()
    const editor = await edit({
      onPermission: () => {
        asked.resolve()
        return new Promise(() => {})
      },
    })
    const sessionId = await open(editor)
    const ended = isOurs && assert.rejects(editor.agent.request('session/prompt', { sessionId, prompt: text('ask') }), /closed/i)
    if (!isOurs) await host.as('bob').prompt(sessionId, { promptId: 'p3' as never, content: text('ask') })
    await asked.promise
    await editor[Symbol.asyncDispose]()
    await ended
    await eventually('nobody follows it any more', async () => (await sessions.get(sessionId)).followers.length === 0)
    assert.equal((await sessions.get(sessionId)).state, isOurs ? 'idle' : 'waiting')
    await sessions.cancel(sessionId)
  }
})

test('mode and model are options; a change by anyone is told', async () => {
  await using editor = await edit()
  const created = await editor.agent.request('session/new', { cwd: host.workspace, mcpServers: [] })
  const { sessionId } = created
  const model = created.configOptions?.find(({ id }) => id === 'model')
  assert.ok(model?.type === 'select')
  assert.equal(model.currentValue, 'default')
  assert.deepEqual(
    model.options.map((option) => 'value' in option && option.value),
    ['default', 'p/one', 'box:p/two'],
  )
  const set = await editor.agent.request('session/set_config_option', { sessionId, configId: 'model', value: 'box:p/two' })
  assert.equal(set.configOptions.find(({ id }) => id === 'model')?.currentValue, 'box:p/two')
  assert.equal((await sessions.get(sessionId as SessionId)).model, 'box:p/two')
  await editor.agent.request('session/set_mode', { sessionId, modeId: 'plan' })
  await editor.until('the mode', () => editor.of('current_mode_update').at(-1)?.currentModeId === 'plan')
  await host.as('bob').configure(sessionId as SessionId, { mode: 'build' })
  await editor.until("bob's mode", () => editor.of('current_mode_update').at(-1)?.currentModeId === 'build')

  const option = (configId: string, value: string) => editor.agent.request('session/set_config_option', { sessionId, configId, value })
  await refusal(option('model', 'default'), -32_602, /begin a new session/)
  await refusal(option('mode', 'yolo'), -32_602, /expected build or plan/)
  await refusal(option('effort', 'high'), -32_602, /there are mode and model/)
})

test('a list of models that takes its time does not hold up a session, and is told when it is there', async () => {
  const list = Promise.withResolvers<string[]>()
  await using editor = await edit({ models: () => list.promise })
  await open(editor)
  list.resolve(['p/slow'])
  const update = await editor.until('the late options', () => editor.of('config_option_update')[0])
  assert.match(JSON.stringify(update), /p\/slow/)
})

test('sessions are listed with their directory, and closed and deleted', async () => {
  await using editor = await edit()
  const sessionId = await open(editor)
  const list = async (cwd?: string) =>
    (await editor.agent.request('session/list', { cwd })).sessions.find((row) => row.sessionId === sessionId)
  assert.equal((await list())?.cwd, host.workspace)
  assert.ok(await list(host.workspace))
  assert.equal(await list('/elsewhere'), undefined)
  const ended = editor.agent.request('session/prompt', { sessionId, prompt: text('wait') })
  await editor.until('half of the answer', () => editor.said() !== '')
  await editor.agent.request('session/close', { sessionId })
  assert.equal((await ended).stopReason, 'cancelled')
  assert.equal((await sessions.get(sessionId)).state, 'idle')
  await editor.agent.request('session/delete', { sessionId })
  await assert.rejects(sessions.get(sessionId), (error) => isAppError(error, 'not_found'))
})

test('a fork is a session of its own, which the editor has open', async () => {
  await using editor = await edit()
  const sessionId = await open(editor)
  await editor.agent.request('session/prompt', { sessionId, prompt: text('say one') })
  const fork = (await editor.agent.request('session/fork', { sessionId, cwd: host.workspace, mcpServers: [] })) as { sessionId: SessionId }
  assert.notEqual(fork.sessionId, sessionId)
  assert.equal(
    (await editor.agent.request('session/prompt', { sessionId: fork.sessionId, prompt: text('say two') })).stopReason,
    'end_turn',
  )
  const [first] = (await sessions.history(fork.sessionId)).items
  assert.equal(first?.type === 'session.created' && first.forkedFrom?.sessionId, sessionId)
})

test('what cannot be is refused with its reason', async () => {
  await using editor = await edit()
  const { agent } = editor
  const mcpServers = [{ name: 'files', command: 'rm', args: [], env: [] }]
  await refusal(agent.request('session/new', { cwd: host.workspace, mcpServers }), -32_602, /files.*not built yet/)
  await refusal(agent.request('session/new', { cwd: 'work', mcpServers: [] }), -32_602, /not an absolute path/)
  await refusal(agent.request('session/new', { cwd: '/no/such/directory', mcpServers: [] }), -32_602, /cannot be used/)
  await refusal(agent.request('session/new', { cwd: '/', mcpServers: [], additionalDirectories: ['/x'] }), -32_602, /one directory/)
  await refusal(agent.request('session/fork', { sessionId: 'ses_abcdef', cwd: '/', mcpServers: [] }), -32_002, /no session/)
  await refusal(agent.request('session/fork', { sessionId: 'ses_abcdef', cwd: '/', mcpServers }), -32_602, /files.*not built yet/)
  await refusal(agent.request('session/prompt', { sessionId: '../../etc', prompt: text('x') }), -32_002, /no session/)
  await refusal(agent.request('session/load', { sessionId: 'ses_abcdef', cwd: '/', mcpServers: [] }), -32_002, /no session/)
  await refusal(agent.request('session/prompt', { sessionId: await open(editor), prompt: text('throw') }), -32_603, /broken/)
  assert.equal((await agent.request('session/prompt', { sessionId: await open(editor), prompt: text('say on') })).stopReason, 'end_turn')
})

test("on another node's host the directory is the host's, and the editor's servers are refused", async () => {
  const remote = { node: 'gpu-server' }
  await using editor = await edit({ host: remote })
  const { sessionId } = await editor.agent.request('session/new', { cwd: '/home/me/project', mcpServers: [] })
  assert.equal((await sessions.get(sessionId as SessionId)).workspace, host.workspace)
  const mcpServers = [{ name: 'files', command: 'rm', args: [], env: [] }]
  await refusal(
    editor.agent.request('session/new', { cwd: '/', mcpServers }),
    -32_603,
    /gpu-server runs no MCP servers of its callers \(files\)/,
  )
})

test('prompts of two editors on one session are run one after the other, each seen by both', async () => {
  await using one = await edit()
  await using two = await edit()
  const sessionId = await open(one)
  await two.agent.request('session/resume', { sessionId, cwd: host.workspace })
  const ends = await Promise.all([
    one.agent.request('session/prompt', { sessionId, prompt: text('say from one.') }),
    two.agent.request('session/prompt', { sessionId, prompt: text('say from two.') }),
  ])
  assert.deepEqual(
    ends.map(({ stopReason }) => stopReason),
    ['end_turn', 'end_turn'],
  )
  for (const [editor, other] of [
    [one, 'say from two.'],
    [two, 'say from one.'],
  ] as const) {
    await editor.until('both answers', () => /one\..*two\.|two\..*one\./.test(editor.said()))
    assert.deepEqual(
      editor.of('user_message_chunk').map(({ content }) => content),
      text(other),
    )
  }
})
