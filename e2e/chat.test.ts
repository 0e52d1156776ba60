import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Answer, ScriptedLlm } from '@qmtcode/testing'
import { noTerminal, openTerminal } from './support/pty.ts'
import type { Terminal } from './support/pty.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'

const ANSWERS: Record<string, readonly Answer[]> = {
  endless: [[{ text: ['the first ', 'words'] }, { fault: 'hang' }]],
  colours: ['red, green and blue'],
  'make a file': [[{ text: 'I write it.' }, { tool: 'shell', input: { command: 'echo made-by-hand > made.txt' } }], 'it is written'],
}

interface Desk extends AsyncDisposable {
  machine: Machine
  llm: ScriptedLlm
  sit(...args: string[]): Promise<Terminal>
}

/** A machine whose model answers by script, and its terminal. */
async function startDesk(): Promise<Desk> {
  await using parts = new AsyncDisposableStack()
  const machine = parts.use(await createMachine())
  const llm = parts.use(await startScriptedLlm(ANSWERS))
  await machine.writeConfig(`
[providers.scripted]
base_url = "${llm.url}"
[agent]
provider = "scripted"
model = "scripted"
`)
  const owned = parts.move()
  return {
    machine,
    llm,
    sit: async (...args) => {
      const terminal = owned.use(openTerminal(machine, args))
      await terminal.shows(/^›$/m)
      return terminal
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const options = { skip: noTerminal }

test('an answer streams; Ctrl-C cancels its turn, and again leaves with 130', options, async () => {
  await using desk = await startDesk()
  const chat = await desk.sit()
  chat.type('endless\r')
  await chat.shows(/^› endless\n→ .*\nthe first words\nworking ›$/) // while the model still holds the call
  chat.type(CTRL_C)
  await chat.shows(/cancelling … Ctrl-C again to leave\ncancelled\n›$/)
  await (
    await desk.llm.request(0)
  ).aborted
  chat.type(CTRL_C)
  assert.equal(await chat.ended(), 130)
  await chat.shows(/to go on: qmtcode attach ses_/)
})

test('a permission is asked for, given with y, and its tool runs here', options, async () => {
  await using desk = await startDesk()
  const chat = await desk.sit()
  chat.type('make a file\r')
  await chat.shows(/I write it\.\n• shell echo made-by-hand > made\.txt \(on .*\n\? shell asks: [^]*\nallow shell\? y once .* ›$/)
  chat.type('y\r')
  await chat.shows(/› y\n +allowed by .*\n +shell ok, .*\nit is written\n20 tokens in, 10 out\n›$/)
  assert.equal(await readFile(join(desk.machine.workspace, 'made.txt'), 'utf8'), 'made-by-hand\n')
  chat.type(CTRL_D)
  assert.equal(await chat.ended(), 0)
})

test('a prompt typed while a turn runs waits for it', options, async () => {
  await using desk = await startDesk()
  const chat = await desk.sit()
  chat.type('endless\r')
  await chat.shows(/the first words/)
  chat.type('colours\r')
  await chat.shows(/queued, position 1/)
  assert.equal(desk.llm.requests.length, 1)
  chat.type(CTRL_C)
  await chat.shows(/cancelled\n(→ .*\n)?red, green and blue\n10 tokens in, 5 out\n›$/)
  chat.type(CTRL_D)
  assert.equal(await chat.ended(), 0)
})

test('a session is gone on with in the next chat', options, async () => {
  await using desk = await startDesk()
  const first = await desk.sit()
  first.type('colours\r')
  await first.shows(/red, green and blue\n10 tokens in/)
  first.type(CTRL_D)
  await first.shows(/to go on: qmtcode attach ses_\w+$/)
  assert.equal(await first.ended(), 0)
  const listed = await desk.machine.run(['sessions', '--json'])
  const [{ id } = { id: '' }] = JSON.parse(listed.stdout) as { id: string }[]
  const second = openTerminal(desk.machine, ['--session', id])
  await using _ = second
  await second.shows(/› colours\n→ .*\nred, green and blue\n10 tokens in, 5 out\n›$/)
  second.type('more colours\r')
  await second.shows(/red, green and blue\n10 tokens in/)
  second.type(CTRL_D)
  assert.equal(await second.ended(), 0)
  assert.equal((JSON.parse((await desk.machine.run(['sessions', '--json'])).stdout) as unknown[]).length, 1)
})
