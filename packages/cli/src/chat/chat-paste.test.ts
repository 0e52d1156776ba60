import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { eventually } from '@qmtcode/testing'
import { fakeNode, startCli } from '../commands/cli-kit.ts'
import type { Script } from '../commands/scripted-sessions.ts'

const marked = (text: string): string => `\u001b[200~${text}\u001b[201~`

async function startChat(script: Script, env: Record<string, string> = {}) {
  const node = fakeNode({ script })
  const started = startCli([], { node, tty: true, over: { env } })
  await started.seen(/›/)
  await eventually('the chat watches', () => node.watchers() === 1)
  const leave = async () => {
    started.stdin.end()
    await started.code
  }
  return {
    ...started,
    node,
    type: (text: string) => started.stdin.write(text),
    shown: () => stripVTControlCharacters(started.stdout()),
    leave,
  }
}

/** Keeps what is prompted; the first prompt asks for a permission, where `asks`. */
function keptPrompts({ asks = false } = {}): { prompts: string[]; script: Script } {
  const prompts: string[] = []
  const script: Script = async (turn) => {
    prompts.push(turn.prompt)
    if (asks && prompts.length === 1) turn.say(`you said ${await turn.ask('shell')}`)
    else turn.say('taken')
  }
  return { prompts, script }
}

/** What a person pastes, with and without a terminal that marks it. */
const PASTES: [what: string, keys: string, text: string][] = [
  ['lines, marked', marked('one\rtwo\rthree'), 'one\ntwo\nthree'],
  ['lines, not marked', 'one\rtwo\rthree', 'one\ntwo\nthree'],
  ['lines with a last line break, not marked', '/quit\r/quit\r', '/quit\n/quit\n'],
  ['a command, marked', marked('/quit'), '/quit'],
  ['a command with a line break, marked', marked('/quit\r'), '/quit\n'],
  ['tabs and control keys, marked', marked('\tif x:\u0003\r\t\ty()\u0004'), '\tif x:\u0003\n\t\ty()\u0004'],
  ['what stands for a line break of the input', marked('a⏎b'), 'a⏎b'],
]

test('a paste is one prompt, its text as it was, and goes out with Enter alone', async () => {
  for (const [what, keys, text] of PASTES) {
    const { prompts, script } = keptPrompts()
    const chat = await startChat(script)
    chat.type(keys)
    await chat.seen(/› .*(?:pasted #1|\/quit)/)
    assert.deepEqual(prompts, [], `${what}: nothing goes out by itself`)
    chat.type('\r')
    await chat.seen(/taken/)
    assert.deepEqual(prompts, [text], what)
    await chat.leave()
  }
})

test('a paste answers no permission: it is kept for the next prompt', async () => {
  for (const keys of [marked('y'), marked('y\r'), 'y\ry\r', marked('a\ra\r')]) {
    const { prompts, script } = keptPrompts({ asks: true })
    const chat = await startChat(script)
    chat.type('go\r')
    await chat.seen(/y once/)
    chat.type(keys)
    await chat.seen(/kept for your next prompt/)
    chat.type('n\r')
    await chat.seen(/you said deny/)
    await chat.seen(/tokens in[^]*› /)
    chat.type('\r')
    await chat.seen(/taken/)
    assert.match(prompts[1] ?? '', /^[ya]/)
    await chat.leave()
  }
})

test('a question takes no key of its first half second: what is typed then goes to the next prompt', async () => {
  const { prompts, script } = keptPrompts({ asks: true })
  const chat = await startChat(script)
  chat.type('go\r')
  await chat.seen(/allow shell\? …/)
  chat.type('y\r')
  await chat.seen(/y once/)
  assert.deepEqual(chat.node.sessions.answers, [])
  chat.type('n\r')
  await chat.seen(/you said deny/)
  await chat.seen(/tokens in[^]*› .*y$/)
  chat.type('es\r')
  await chat.seen(/taken/)
  assert.deepEqual(prompts, ['go', 'yes'])
  await chat.leave()
})

test('a question for words takes a paste, and the Enter behind it', async () => {
  const chat = await startChat(async (turn) => turn.say(`got ${JSON.stringify(await turn.question({ text: 'Which error?' }))}`))
  chat.type('go\r')
  await chat.seen(/your answer ›/)
  chat.type(`${marked('Error: x\r  at y')}\r`)
  await chat.seen(/got {"choices":\[\],"text":"Error: x\\n {2}at y"}/)
  await chat.leave()
})

test('a backslash before Enter, and Alt-Enter, begin another line of the same prompt', async () => {
  const { prompts, script } = keptPrompts()
  const chat = await startChat(script)
  chat.type('one\\\r')
  await chat.seen(/one⏎/)
  chat.type('two\u001b\rthree\r')
  await chat.seen(/taken/)
  assert.deepEqual(prompts, ['one\ntwo\nthree'])
  await chat.leave()
})

test('a line that was meant for a shell, or holds an invite, does not go to the model', async () => {
  const { prompts, script } = keptPrompts()
  const chat = await startChat(script)
  for (const [line, said] of [
    ["qmtcode join 'qmt://mesh/join/abc'", /an invite is a secret/],
    ['take this: qmt://mesh/join/abc', /an invite is a secret[^]*an invite is a secret/],
    ['$ npx qmtcode nodes', /a command for a shell/],
    ['qmtcode --mesh', /a command for a shell[^]*a command for a shell/],
  ] as const) {
    chat.type(`${line}\r`)
    await chat.seen(said)
  }
  chat.type('qmtcode crashes when I resize it\r')
  await chat.seen(/taken/)
  assert.deepEqual(prompts, ['qmtcode crashes when I resize it'])
  await chat.leave()
})

test('TERM=dumb: no escape sequence, each line once; questions are answered; a paste is one prompt', async () => {
  const prompts: string[] = []
  const chat = await startChat(
    async (turn) => {
      prompts.push(turn.prompt)
      turn.say(`you said ${await turn.ask('shell')}`, ['you said ', 'so\n', 'done'])
    },
    { TERM: 'dumb' },
  )
  chat.type('one\rtwo\r')
  await chat.seen(/y once/)
  chat.type('y\r')
  await chat.seen(/tokens in/)
  assert.deepEqual(prompts, ['one\ntwo\n'])
  assert.doesNotMatch(chat.stdout(), /\u001b/) // oxlint-disable-line no-control-regex
  assert.equal(chat.stdout().split('done').length, 2)
  await chat.leave()
})
