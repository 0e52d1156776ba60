import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { PEER_B, cli, fakeNode, startCli } from '../commands/cli-kit.ts'
import type { FakeNode } from '../commands/cli-kit.ts'
import type { Script } from '../commands/scripted-sessions.ts'
import { wrapWords } from '../output/wrap-words.ts'
import { wrap } from './terminal.ts'

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'

async function startChat(node: FakeNode) {
  const started = startCli([], { node, tty: true })
  await started.seen(/›/)
  await eventually('somebody watches', () => node.watchers() === 1)
  const shown = () => stripVTControlCharacters(started.stdout())
  return { ...started, type: (text: string) => started.stdin.write(text), shown }
}

test('a chat says who it is, answers, and ends with Ctrl-D', async () => {
  const node = fakeNode({ script: async (turn) => turn.say(`echo ${turn.prompt}`, ['echo ', turn.prompt]) })
  const chat = await startChat(node)
  chat.type('hello\r')
  await chat.seen(/echo hello\n/)
  await chat.seen(/10 tokens in, 5 out/)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
  assert.match(chat.shown(), /listening: .*\ndefault model: builtin\/demo/)
  assert.deepEqual(node.sessions.inits, [{ workspace: '/work' }])
  assert.equal(node.closed, 1)
})

test('a permission is asked for and answered, and what was being typed comes back', async () => {
  const prompts: string[] = []
  const script: Script = async (turn) => {
    prompts.push(turn.prompt)
    turn.say(`you said ${await turn.ask('shell')}`)
  }
  const node = fakeNode({ script })
  const chat = await startChat(node)
  const { promise: typed, resolve: proceed } = Promise.withResolvers<void>()
  const { prompt } = node.sessions
  node.sessions.prompt = async (...given) => {
    await typed
    return await prompt(...given)
  }
  chat.type('do it\r')
  await chat.seen(/do it\r?\n/)
  chat.type('half a tho')
  await chat.seen(/o$/)
  proceed()
  await chat.seen(/allow shell\? y once/)
  assert.match(chat.shown(), /\? shell asks: run shell/)
  chat.type('what\r')
  await chat.seen(/y, a or n/)
  chat.type('a\r')
  await chat.seen(/you said allow_session/)
  assert.deepEqual(
    node.sessions.answers.map(({ answer }) => answer),
    ['allow_session'],
  )
  await chat.seen(/half a tho/)
  chat.type('ught\r')
  await chat.seen(/ught[^]*allow shell\? y once/)
  chat.type('n\r')
  await chat.seen(/you said deny/)
  assert.deepEqual(prompts, ['do it', 'half a thought'])
  chat.type('/quit\r')
  assert.equal(await chat.code, 0)
})

test('a question shows numbered choices, is answered by number, label or words, and what is no answer is told', async () => {
  const choices = [{ label: 'red', description: 'as a rose' }, { label: 'dark blue' }, { label: 'green' }]
  const script: Script = async (turn) => {
    turn.say(`first ${JSON.stringify(await turn.question({ text: 'Which colour?', choices, freeText: false }))}`)
    turn.say(`then ${JSON.stringify(await turn.question({ text: 'Which of them?', choices, multiple: true }))}`)
    turn.say(`last ${JSON.stringify(await turn.question({ text: 'And why?' }))}`)
  }
  const node = fakeNode({ script })
  const chat = await startChat(node)
  chat.type('go\r')
  await chat.seen(/\? Which colour\?\n[^]* 1 red — as a rose\n[^]* 2 dark blue\n[^]* 3 green\n[^]*1–3 › /)
  chat.type('purple\r')
  await chat.seen(/1–3; \/skip to leave it to the model/)
  chat.type('Dark Blue\r')
  await chat.seen(/answered by laptop: dark blue\n[^]*first {"choices":\["dark blue"\]}/)
  await chat.seen(/1–3, several with commas, or your own words › /)
  chat.type('1, green: both\r')
  await chat.seen(/then {"choices":\["red","green"\],"text":"both"}/)
  await chat.seen(/your answer › /)
  chat.type('/skip\r')
  await chat.seen(/not answered by laptop: it was declined[^]*last "deny"/)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('a question that somebody else answers goes away, and it is said who did', async () => {
  const node = fakeNode({ script: async (turn) => turn.say(`said ${JSON.stringify(await turn.question({ text: 'Well?' }))}`) })
  const chat = await startChat(node)
  chat.type('go\r')
  await chat.seen(/your answer › /)
  const [session] = (await node.sessions.list()).items
  assert.ok(session)
  const { items } = await node.sessions.history(session.id)
  const asked = items.find((event) => event.type === 'question.asked')
  await node.sessions.answer(session.id, { id: asked?.id ?? '', answer: { choices: [], text: 'yes' } })
  await chat.seen(/answered by laptop: “yes”[^]*said/)
  chat.type('next\r')
  await chat.seen(/your answer › [^]*your answer › /)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('Ctrl-C cancels the turn, again it quits with 130', async () => {
  const node = fakeNode({
    script: async (turn) => {
      turn.say('begun')
      await new Promise((resolve) => turn.signal.addEventListener('abort', resolve))
    },
  })
  const chat = await startChat(node)
  chat.type('go\r')
  await chat.seen(/begun/)
  chat.type(CTRL_C)
  await chat.seen(/cancelling … Ctrl-C again to leave/)
  await chat.seen(/cancelled/)
  assert.equal(node.sessions.cancelled.length, 1)
  chat.type(CTRL_C)
  assert.equal(await chat.code, 130)
})

test('Ctrl-C on a line that is being typed empties it; on an empty one it asks first', async () => {
  const chat = await startChat(fakeNode())
  chat.type('oops')
  await chat.seen(/s$/)
  chat.type(CTRL_C)
  chat.type('/help\r')
  await chat.seen(/\/sessions +the newest sessions/)
  chat.type(CTRL_C)
  await chat.seen(/Ctrl-C again, or Ctrl-D, to leave/)
  chat.type(CTRL_C)
  assert.equal(await chat.code, 130)
})

test("mode and title are shown and set; the mode is the next session's too", async () => {
  const node = fakeNode()
  const chat = await startChat(node)
  chat.type('/mode plam\r')
  await chat.seen(/plam is no mode \(did you mean plan\?\)|plam is no mode/)
  chat.type('/mode plan\r')
  await chat.seen(/mode: plan/)
  chat.type('/title too early\r')
  await chat.seen(/there is no session yet/)
  chat.type('hello\r')
  await chat.seen(/hello\n/)
  assert.equal(node.sessions.inits[0]?.mode, 'plan')
  chat.type('/title what it is about\r')
  await chat.seen(/title: what it is about/)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('lines typed while a turn runs wait, with their position', async () => {
  const release: (() => void)[] = []
  const node = fakeNode({
    script: async (turn) => {
      turn.say(`on ${turn.prompt}`)
      await new Promise<void>((resolve) => release.push(resolve))
      turn.say(`done ${turn.prompt}`)
    },
  })
  const chat = await startChat(node)
  chat.type('one\r')
  await chat.seen(/on one/)
  chat.type('two\r')
  await chat.seen(/queued, position 1: \/queue lists, \/withdraw takes back/)
  await chat.seen(/working, 1 waits \(\/queue\) ›/)
  release[0]?.()
  await chat.seen(/done one[^]*on two/)
  release[1]?.()
  await chat.seen(/done two/)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('Ctrl-C is for the turn that runs: one that was cancelled does not make the next press leave', async () => {
  const node = fakeNode({
    script: async (turn) => {
      turn.say(`on ${turn.prompt}`)
      await new Promise((resolve) => turn.signal.addEventListener('abort', resolve))
    },
  })
  const chat = await startChat(node)
  chat.type('one\r')
  await chat.seen(/on one/)
  chat.type('two\r')
  await chat.seen(/queued, position 1/)
  chat.type(CTRL_C)
  await chat.seen(/on two/)
  chat.type(CTRL_C)
  await chat.seen(/on two[^]*cancelled/)
  assert.equal(node.sessions.cancelled.length, 2)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('a session is opened by the beginning of its id, shown, and gone on with', async () => {
  const node = fakeNode({ script: async (turn) => turn.say(`re ${turn.prompt}`) })
  const { id } = node.sessions.add()
  const chat = await startChat(node)
  chat.type('one\r')
  await chat.seen(/re one/)
  chat.type(`/open ${id.slice(0, 12)}\r`)
  await chat.seen(new RegExp(`${id} · main on laptop`))
  chat.type('two\r')
  await chat.seen(/re two/)
  assert.equal(node.sessions.inits.length, 1)
  assert.equal((await node.sessions.get(id)).followers.length, 0)
  chat.type('/open ses_\r')
  await chat.seen(/ambiguous.*begins 2 sessions/)
  chat.type('/open nothing\r')
  await chat.seen(/no session nothing/)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
  assert.match(chat.shown(), new RegExp(`to go on: qmtcode attach ${id}\n$`))
})

test('--session goes on with a session in the chat; without a terminal it is an error', async () => {
  const node = fakeNode({ script: async (turn) => turn.say(`re ${turn.prompt}`) })
  const { id } = node.sessions.add()
  await cli(['run', '--session', id, 'before'], { node })
  const chat = startCli(['--session', id], { node, tty: true })
  await chat.seen(/re before/)
  chat.stdin.write('after\r')
  await chat.seen(/re after/)
  chat.stdin.write(CTRL_D)
  assert.equal(await chat.code, 0)
  const headless = await cli(['--session', id], { node })
  assert.equal(headless.code, 2)
  assert.match(headless.stderr, /--session is for the chat/)
})

test('a stranger who knocks is asked about, and only the whole word lets it in', async () => {
  const node = fakeNode()
  const chat = await startChat(node)
  const knock = { type: 'peer.knocked', at: 0, peerId: PEER_B, name: 'stranger', address: '/ip4/10.0.0.9/tcp/5' } as const
  node.meshEvent(knock)
  await chat.seen(/type admit or no ›/)
  assert.match(chat.shown(), /admission request: stranger \(12D3\w+\) from\s\/ip4\/10\.0\.0\.9\/tcp\/5/)
  assert.match(chat.shown(), /let stranger \(12D3\w+, from \S+\) use\nthe models of this node\?\n/) // broken at words
  chat.type('y\r')
  await chat.seen(/admit or no\n/)
  chat.type('admit\r')
  await chat.seen(/admitted as client; to undo it:\sqmtcode peers forget/)
  assert.deepEqual(node.changes, [`admit ${PEER_B}`])
  node.meshEvent(knock) // asked once a peer
  const another = (end: string) => ({ ...knock, peerId: `${PEER_B.slice(0, -1)}${end}` as PeerId, name: `knock-${end}` })
  for (const end of 'abc') node.meshEvent(another(end)) // one question at a time, the others in `peers`
  await chat.seen(/let knock-a [^]*knock-c/)
  await chat.seen(/let knock-a [^]*type admit or no ›/)
  chat.type('\r')
  await chat.seen(/not admitted; to do it later:\sqmtcode peers admit/)
  assert.equal(node.changes.length, 1)
  assert.doesNotMatch(chat.shown(), /let knock-[bc] /)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('who knocks while a line is typed is asked about after it', async () => {
  const node = fakeNode()
  const chat = await startChat(node)
  chat.type('/no')
  await chat.seen(/o$/)
  node.meshEvent({ type: 'peer.knocked', at: 0, peerId: PEER_B, name: 'stranger', address: '/ip4/10.0.0.9/tcp/5' })
  await chat.seen(/admission request: stranger [^]*› .*no$/)
  assert.doesNotMatch(chat.shown(), /type admit or no/)
  chat.type('des\r')
  await chat.seen(/type admit or no ›/)
  chat.type('no\r')
  await chat.seen(/not admitted/)
  assert.deepEqual(node.changes, [])
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('peers come and go above the input, which stays', async () => {
  const node = fakeNode()
  const chat = await startChat(node)
  chat.type('typing')
  await chat.seen(/g$/)
  node.meshEvent({ type: 'peer.disconnected', at: 0, peerId: PEER_B, name: 'gpu\u001b]0;x\u0007', reason: 'gone\u009b2J' })
  await chat.seen(/peer gone: gpu \(12D3\w+\): gone\n[^]*› .*typing/)
  chat.type(CTRL_C)
  chat.type(CTRL_D)
  assert.equal(await chat.code, 0)
})

test('commands: model, agent, new, sessions, nodes, and an unknown one', async () => {
  const node = fakeNode({ script: async (turn) => turn.say(`re ${turn.prompt}`) })
  const chat = await startChat(node)
  chat.type('/model gpu:builtin/demo\r')
  await chat.seen(/model: gpu:builtin\/demo/)
  chat.type('/agent coder\r')
  await chat.seen(/agent: coder, in a new session/)
  chat.type('first\r')
  await chat.seen(/re first/)
  await chat.seen(/tokens/)
  chat.type('/new\r')
  await chat.seen(/a new session begins/)
  chat.type('second\r')
  await chat.seen(/re second/)
  assert.deepEqual(node.sessions.inits, [
    { workspace: '/work', model: 'gpu:builtin/demo', agent: 'coder' },
    { workspace: '/work', model: 'gpu:builtin/demo', agent: 'coder' },
  ])
  chat.type('/sessions\r')
  await chat.seen(/a title/)
  chat.type('/nodes\r')
  await chat.seen(/this node/)
  chat.type('/model demo\r')
  await chat.seen(/demo is no model\nhint: provider\/model/)
  chat.type('/agent codr\r')
  await chat.seen(/error\[not_found\]: no agent codr \(did you mean "coder"\?\)/)
  chat.type('/modle\r')
  await chat.seen(/unknown command \/modle \(did you mean "\/model"\?\)/)
  chat.type('/quit\r')
  assert.equal(await chat.code, 0)
})

test('an error of a prompt is shown, and the chat goes on', async () => {
  const node = fakeNode()
  const { create } = node.sessions
  node.sessions.create = async (init) => {
    node.sessions.create = create
    throw new Error(`cannot ${init.workspace}`)
  }
  const chat = await startChat(node)
  chat.type('one\r')
  await chat.seen(/error\[internal\]: cannot \/work/)
  chat.type('two\r')
  await chat.seen(/hello/)
  chat.interrupt('SIGTERM')
  assert.equal(await chat.code, 130)
})

test('whole lines break at words, under their indent; colours take no room, and a long word stays whole', () => {
  assert.equal(wrapWords('one two three', 8), 'one two\nthree')
  assert.equal(wrapWords('  one two\nx', 8), '  one\n  two\nx')
  assert.equal(wrapWords('\u001b[2mone two\u001b[22m', 8), '\u001b[2mone two\u001b[22m')
  assert.equal(wrapWords('\u001b[2mone two three\u001b[22m', 8), '\u001b[2mone two\nthree\u001b[22m')
  assert.equal(wrapWords(`a ${'x'.repeat(10)} b`, 5), `a\n${'x'.repeat(10)}\nb`)
  assert.equal(wrapWords('one two three', 0), 'one two three')
  assert.equal(wrapWords('to let it: qmtcode peers admit 12D3; or not', 14), 'to let it:\nqmtcode peers admit 12D3;\nor not')
})

test('streamed text is cut at blanks to lines shorter than the terminal', () => {
  assert.deepEqual(wrap('one two three', 8), { lines: ['one two'], rest: 'three' })
  assert.deepEqual(wrap('a\nb', 8), { lines: ['a'], rest: 'b' })
  assert.deepEqual(wrap('a\n', 8), { lines: ['a'], rest: '' })
  assert.deepEqual(wrap('x'.repeat(10), 5), { lines: ['xxxx', 'xxxx'], rest: 'xx' })
})
