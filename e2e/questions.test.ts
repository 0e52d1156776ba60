// What a session asks, and who answers: real processes, killed and stopped while a question is open.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Handler } from '@qmtcode/testing'
import { openNodeApi } from './support/node-api.ts'
import type { NodeApi } from './support/node-api.ts'
import { eventsOf, eventsOfType } from './support/output.ts'
import { noTerminal, openTerminal } from './support/pty.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine, Running } from './support/qmt.ts'

/** A command that needs a permission; or a question, whose answer it repeats. */
const answer: Handler = ({ messages = [] }) => {
  const asked = messages.findLastIndex(({ role }) => role === 'user')
  const results = messages.slice(asked + 1).filter(({ role }) => role === 'tool')
  if (results.length > 0) return [{ text: `heard: ${JSON.stringify(results.at(-1)?.content)}` }]
  if (!JSON.stringify(messages[asked]?.content).includes('colour')) return [{ tool: 'shell', input: { command: 'echo once >> ran.txt' } }]
  return [{ tool: 'question', input: { question: 'Which colour?', choices: [{ label: 'red' }, { label: 'blue' }] } }]
}

const MESH = ['--headless', '--mesh=/ip4/127.0.0.1/tcp/0']

async function startMachine(llmUrl: string): Promise<Machine> {
  const machine = await createMachine()
  await machine.writeConfig(`[agent]\nmodel = "rack/scripted"\n[mesh]\ndiscovery = "none"\n[providers.rack]\nbase_url = "${llmUrl}"\n`)
  return machine
}

async function startNode(machine: Machine): Promise<Running> {
  const node = machine.start(MESH)
  await node.line(/listening: /)
  return node
}

async function until<Type extends SessionEvent['type']>(sessions: Sessions, id: SessionId, type: Type) {
  for await (const event of sessions.follow(id, { signal: AbortSignal.timeout(60_000) })) {
    if (event.type === type) return event as Extract<SessionEvent, { type: Type }>
  }
  throw new Error(`no ${type}`)
}

async function ask<Type extends SessionEvent['type']>({ sessions }: NodeApi, machine: Machine, text: string, type: Type) {
  const { id } = await sessions.create({ workspace: machine.workspace })
  await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text }] })
  return { id, asked: await until(sessions, id, type) }
}

const stateOf = async (machine: Machine, id: SessionId): Promise<string | undefined> =>
  (JSON.parse((await machine.run(['sessions', '--json'])).stdout) as { id: string; state: string }[]).find((row) => row.id === id)?.state

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(
    `a host that ends by ${signal} with open questions comes back with them, and their answers go on`,
    { timeout: 180_000 },
    async () => {
      await using llm = await startScriptedLlm(answer)
      await using machine = await startMachine(llm.url)
      const node = await startNode(machine)
      const before = await openNodeApi(machine)
      const permission = await ask(before, machine, 'run it', 'permission.requested')
      const question = await ask(before, machine, 'which colour', 'question.asked')
      const calls = llm.requests.length
      await node.kill(signal)
      await before[Symbol.asyncDispose]()

      await startNode(machine)
      assert.deepEqual([await stateOf(machine, permission.id), await stateOf(machine, question.id)], ['waiting', 'waiting'])
      await using api = await openNodeApi(machine)
      assert.deepEqual(await until(api.sessions, permission.id, 'permission.requested'), permission.asked)
      assert.equal(llm.requests.length, calls, 'nothing was asked of the model meanwhile')
      await api.sessions.answer(permission.id, { id: permission.asked.id, answer: 'allow' })
      await until(api.sessions, permission.id, 'turn.ended')
      assert.equal(await readFile(join(machine.workspace, 'ran.txt'), 'utf8'), 'once\n')
      await api.sessions.answer(question.id, { id: question.asked.id, answer: { choices: ['blue'], text: 'as the sea' } })
      await assert.rejects(api.sessions.answer(question.id, { id: question.asked.id, answer: { choices: ['red'] } }), { code: 'conflict' })
      await until(api.sessions, question.id, 'turn.ended')

      for (const { id } of [permission, question]) {
        const log = eventsOf((await machine.run(['attach', id, '--no-follow', '--json'])).stdout)
        for (const type of ['turn.started', 'tool.started', 'tool.ended', 'turn.ended'] as const)
          assert.equal(eventsOfType(log, type).length, 1, type)
        assert.equal(eventsOfType(log, 'turn.ended')[0]?.stopReason, 'completed')
        const said = eventsOfType(log, 'message.completed').at(-1)?.text ?? ''
        if (id === question.id) assert.match(said, /chose: .*blue.*wrote:.*> as the sea/)
      }
    },
  )
}

test('a chat that is left with a question open shows it when it is attached again', { skip: noTerminal, timeout: 120_000 }, async () => {
  await using llm = await startScriptedLlm(answer)
  await using machine = await startMachine(llm.url)
  let id = ''
  {
    await using chat = openTerminal(machine, [])
    await chat.shows(/^›$/m)
    chat.type('which colour\r')
    await chat.shows(/\? Which colour\?\n {2}1 red\n {2}2 blue\n1–2, or your own words ›$/)
    chat.type('\u0004')
    assert.equal(await chat.ended(), 0)
    id = (JSON.parse((await machine.run(['sessions', '--json'])).stdout) as { id: string }[])[0]?.id ?? ''
  }
  await using chat = openTerminal(machine, ['attach', id])
  await chat.shows(/1–2, or your own words ›$/)
  chat.type('2\r')
  await chat.shows(/answered by .*: blue\n[^]*heard: .*chose: .*blue/)
  chat.type('\u0004')
  assert.equal(await chat.ended(), 0)
})

test('run without a terminal tells the model that nobody can answer; the demo model asks', { timeout: 60_000 }, async () => {
  await using machine = await createMachine()
  await machine.writeConfig('[agent]\nmodel = "builtin/demo"\n')
  const { code, stdout, stderr } = await machine.run(['run', 'ask me which colour: red or blue'])
  assert.equal(code, 0, stderr)
  assert.match(stderr, /\? Which colour\?\n {2}1 red\n {2}2 blue\n {2}not answered: nobody can answer in this session/)
  assert.match(stdout, /no answer: nobody can answer/)
})
