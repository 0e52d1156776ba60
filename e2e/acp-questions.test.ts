// Questions of the model in an editor, driven by the SDK's own client; each message of ours is checked against the published schema.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { SessionAnswer, SessionId, Sessions } from '@qmtcode/protocol'
import { createTurnScript, followUntil } from '@qmtcode/testing'
import { textBlocks } from '../packages/server/src/acp/editor-kit.ts'
import type { Editor, EditorOptions } from '../packages/server/src/acp/editor-kit.ts'
import { openServedEditor } from './support/served-editor.ts'
import { startSessionsHost } from './support/sessions-host.ts'
import type { SessionsHost } from './support/sessions-host.ts'

let host: SessionsHost
let sessions: Sessions
before(async () => {
  const script = createTurnScript()
  host = await startSessionsHost((turn) => script.runTurn(turn))
  sessions = host.as('ann')
})
after(() => host[Symbol.asyncDispose]())

const edit = (options: EditorOptions): Promise<Editor> => openServedEditor(sessions, options)
const open = async ({ agent }: Editor): Promise<SessionId> =>
  (await agent.request('session/new', { cwd: host.workspace, mcpServers: [] })).sessionId as SessionId
const prompt = ({ agent }: Editor, sessionId: SessionId, text: string) =>
  agent.request('session/prompt', { sessionId, prompt: textBlocks(text) })

async function answerAsBob(id: SessionId, answer: SessionAnswer['answer']): Promise<void> {
  const events = await followUntil(sessions, id, ({ type }) => type === 'question.asked')
  const question = events.find((event) => event.type === 'question.asked')
  assert.ok(question?.type === 'question.asked')
  await host.as('bob').answer(id, { id: question.id, answer })
}

test('an editor with forms shows the choices and a field, and what is filled in is the reply', async () => {
  const forms: unknown[] = []
  const content = [{ choice: 'red', text: 'but dark' }, { choice: ['red', 'blue'] }]
  await using editor = await edit({
    onForm: (form) => {
      forms.push([form.message, 'requestedSchema' in form && form.requestedSchema])
      return { action: 'accept', content: content[forms.length - 1] }
    },
  })
  const sessionId = await open(editor)
  await prompt(editor, sessionId, 'choose')
  const options = [
    { const: 'red', title: 'red — as a rose' },
    { const: 'blue', title: 'blue' },
  ]
  assert.deepEqual(forms[0], [
    'Which colour?',
    {
      type: 'object',
      properties: { choice: { type: 'string', title: 'Choice', oneOf: options }, text: { type: 'string', title: 'In your own words' } },
      required: [],
    },
  ])
  await prompt(editor, sessionId, 'pick')
  assert.deepEqual(forms[1], [
    'Which colour?',
    { type: 'object', properties: { choice: { type: 'array', title: 'Choices', items: { anyOf: options } } }, required: ['choice'] },
  ])
  assert.equal(editor.said(), 'reply: red "but dark"reply: red blue')
})

test('a form that is declined, or closed by whose prompt it was, leaves the question to the model', async () => {
  for (const action of ['decline', 'cancel'] as const) {
    await using editor = await edit({ onForm: () => ({ action }) })
    await prompt(editor, await open(editor), 'choose')
    assert.match(editor.said(), /^no reply: it was declined/)
  }
})

test('an editor without forms shows the choices as options', async () => {
  for (const [chosen, said] of [
    ['choice-1', 'reply: blue'],
    ['skip', 'no reply: it was declined'],
  ] as const) {
    await using editor = await edit({
      onPermission: ({ options, toolCall }) => {
        assert.deepEqual([toolCall.title, options.map(({ name }) => name)], ['Which colour?', ['red', 'blue', 'Leave it to the agent']])
        return chosen
      },
    })
    await prompt(editor, await open(editor), 'choose')
    assert.equal(editor.said(), said)
  }
})

test('without forms a question for words is told, with how to answer it; a prompt meanwhile is a prompt', async () => {
  await using editor = await edit({})
  const sessionId = await open(editor)
  const first = prompt(editor, sessionId, 'wonder')
  await editor.until('the question', () => editor.said().includes('qmtcode attach ses_'))
  const second = prompt(editor, sessionId, 'say a new prompt')
  await answerAsBob(sessionId, { choices: [], text: 'green' })
  await Promise.all([first, second])
  assert.match(editor.said(), /^Which colour\?[^]*reply: "green"a new prompt$/)
})

test('a form is withdrawn when somebody else answers', async () => {
  const shown = Promise.withResolvers<AbortSignal>()
  await using editor = await edit({
    onForm: (_, signal) => {
      shown.resolve(signal)
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve({ action: 'cancel' })))
    },
  })
  const sessionId = await open(editor)
  const ended = prompt(editor, sessionId, 'choose')
  const signal = await shown.promise
  await answerAsBob(sessionId, { choices: ['blue'] })
  await ended
  assert.equal(signal.aborted, true)
  assert.equal(editor.said(), 'reply: blue')
})
