import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { cli, fakeNode, startCli } from './cli-kit.ts'
import type { Script, ScriptedTurn } from './scripted-sessions.ts'

const route = (turn: ScriptedTurn, over: object = {}) =>
  turn.emit({
    type: 'route.chosen',
    turnId: turn.turnId,
    agentId: 'main',
    model: 'builtin/demo',
    node: 'gpu-server',
    reason: 'peer gpu-server',
    tried: [],
    ...over,
  })

const tool = (turn: ScriptedTurn, over: { isError?: boolean; output?: string } = {}) => {
  const call = { turnId: turn.turnId, callId: 'c1', name: 'shell', input: { command: 'npm test' } }
  turn.emit({ type: 'tool.started', ...call, node: 'laptop' })
  turn.emit({ type: 'tool.ended', ...call, output: 'fine', isError: false, durationMs: 1_200, ...over })
}

const nodeOf = (script: Script) => fakeNode({ script })

test('the answer is on stdout, the route, the tools and the usage on stderr', async () => {
  const node = nodeOf(async (turn) => {
    route(turn)
    tool(turn)
    route(turn)
    turn.say('All is well.', ['All ', 'is well.'])
  })
  const { code, stdout, stderr } = await cli(['run', 'test it'], { node })
  assert.equal(code, 0, stderr)
  assert.equal(stdout, 'All is well.\n')
  assert.match(
    stderr,
    /^→ gpu-server · builtin\/demo \(peer gpu-server\)\n• shell npm test \(on laptop\)\n {2}shell ok, 1\.2 s\n0 ms · 10 tokens in, 5 out · ses_\w+\n$/,
  )
  assert.deepEqual(node.sessions.inits, [{ model: undefined, mode: undefined, workspace: '/work', unattended: true, allow: [] }])
  assert.equal(node.closed, 1)
})

test('what a peer or a tool says cannot drive the terminal', async () => {
  const node = nodeOf(async (turn) => {
    route(turn, { node: 'gpu\u001b[2J', reason: 'a\nb', tried: [{ node: 'x\u0007', error: 'e\u001b]0;t\u0007' }] })
    tool(turn, { isError: true, output: '\u001b[31mboom\u001b[0m\nmore' })
    turn.say('\u001b]52;c;eA==\u0007hi\u202e')
  })
  const { stdout, stderr } = await cli(['run', 'x'], { node })
  assert.equal(stdout, 'hi\n')
  assert.match(stderr, /→ gpu · builtin\/demo \(a b\)/)
  assert.match(stderr, /shell failed, 1\.2 s: boom/)
  assert.doesNotMatch(stdout + stderr, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/) // eslint-disable-line no-control-regex
})

test('run --json gives one event a line, from session.created to turn.ended', async () => {
  const node = nodeOf(async (turn) => turn.say('hello', ['hel', 'lo']))
  const { code, stdout, stderr } = await cli(['run', '--json', 'hi'], { node })
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; sessionId: string; at: number })
  assert.equal(code, 0)
  assert.equal(stderr, '')
  assert.deepEqual(
    events.map((event) => event.type),
    ['session.created', 'prompt.accepted', 'turn.started', 'message.delta', 'message.delta', 'message.completed', 'turn.ended'],
  )
  assert.ok(events.every((event) => event.sessionId.startsWith('ses_') && event.at === 1_000))
})

test('the prompt comes from stdin where there is no argument, or "-"', async () => {
  const prompts: string[] = []
  const node = nodeOf(async (turn) => {
    prompts.push(turn.prompt)
  })
  await cli(['run'], { node, stdin: 'from a pipe\n' })
  await cli(['run', '-'], { node, stdin: 'žluť' })
  assert.deepEqual(prompts, ['from a pipe\n', 'žluť'])
  const empty = await cli(['run'], { node, stdin: ' \n' })
  assert.equal(empty.code, 2)
  assert.equal(empty.stderr, 'error[bad_request]: the prompt is empty\nhint: qmtcode run "what to do", or pipe it in\n')
  const none = await cli(['run'], { node, tty: true })
  assert.equal(none.code, 2)
  assert.match(none.stderr, /run needs a prompt/)
})

test('a prompt that is too large is refused before a session begins', async () => {
  const node = fakeNode()
  const { code, stderr } = await cli(['run', '-'], { node, stdin: 'x'.repeat(9_000_000) })
  assert.equal(code, 1)
  assert.match(stderr, /error\[too_large\]/)
  assert.equal(node.sessions.inits.length, 0)
})

const failures: [string, number][] = [
  ['peer_unreachable', 3],
  ['model_unavailable', 3],
  ['not_admitted', 4],
  ['provider_error', 1],
  ['bad_config', 2],
]
for (const [code, expected] of failures) {
  test(`a turn that failed with ${code} exits ${expected}, with the error and its hint on stderr`, async () => {
    const node = nodeOf(async () => ({ stopReason: 'failed', error: { code, message: 'no\u001b[2J', hint: 'do this' } }))
    const ran = await cli(['run', 'x'], { node })
    assert.equal(ran.code, expected)
    assert.equal(ran.stdout, '')
    assert.ok(ran.stderr.startsWith(`error[${code}]: no\nhint: do this\n`), ran.stderr)
  })
}

test('a permission that nobody could give: the answer is printed, the flag is named, exit 4', async () => {
  const script: Script = async (turn) => {
    const author = { node: 'laptop' }
    turn.emit({
      type: 'permission.requested',
      turnId: turn.turnId,
      id: 'p',
      callId: 'c',
      tool: 'write_file',
      input: {},
      summary: 'write a.txt',
      author,
    })
    turn.emit({ type: 'permission.answered', turnId: turn.turnId, id: 'p', answer: 'deny', reason: 'nobody can answer' })
    turn.say('I could not.')
  }
  const ran = await cli(['run', 'x'], { node: nodeOf(script) })
  assert.equal(ran.code, 4)
  assert.equal(ran.stdout, 'I could not.\n')
  assert.match(ran.stderr, /\? write_file asks: write a\.txt\n {2}denied: nobody can answer\n.*--allow edit\n/)
  const json = await cli(['run', '--json', 'x'], { node: nodeOf(script) })
  assert.equal(json.code, 4)
  assert.match(json.stderr, /^nobody was here to answer; to allow it: --allow edit\n$/)
})

test('a session that expects a person gets the answers of --allow, and no for the rest', async () => {
  const node = nodeOf(async (turn) => turn.say(`${await turn.ask('shell')} ${await turn.ask('edit')}`))
  const { id } = node.sessions.add()
  const ran = await cli(['run', '--session', id, '--allow', 'edit', 'x'], { node })
  assert.equal(ran.stdout, 'deny allow\n')
  assert.equal(ran.code, 4)
  assert.match(ran.stderr, /--allow shell/)
})

test('run --session shows what is new, not what was', async () => {
  const node = nodeOf(async (turn) => turn.say(`to ${turn.prompt}`))
  const { id } = node.sessions.add()
  await cli(['run', '--session', id, 'one'], { node })
  const { stdout } = await cli(['run', '--session', id, 'two'], { node })
  assert.equal(stdout, 'to two\n')
  const json = await cli(['run', '--json', '--session', id, 'three'], { node })
  assert.match(json.stdout, /^\{"type":"prompt.accepted"/)
})

test('Ctrl-C cancels the turn and exits 130', async () => {
  const node = nodeOf(async (turn) => {
    turn.say('begun')
    await new Promise((resolve) => turn.signal.addEventListener('abort', resolve))
  })
  const started = startCli(['run', 'x'], { node })
  await started.seen(/begun/)
  started.interrupt('SIGINT')
  assert.equal(await started.code, 130)
  assert.equal(node.sessions.cancelled.length, 1)
  assert.equal(node.closed, 1)
  assert.match(started.stderr(), /cancelled/)
})

test('a second Ctrl-C does not wait for a turn that will not end', async () => {
  const node = nodeOf(async (turn) => {
    turn.say('begun')
    await new Promise(() => {})
  })
  const started = startCli(['run', 'x'], { node })
  await started.seen(/begun/)
  started.interrupt('SIGINT')
  started.interrupt('SIGINT')
  assert.equal(await started.code, 130)
})

test('Ctrl-C while the prompt waits behind another withdraws it', async () => {
  const node = nodeOf(async (turn) => {
    await new Promise((resolve) => turn.signal.addEventListener('abort', resolve))
  })
  const { id } = node.sessions.add()
  const first = startCli(['run', '--session', id, 'x'], { node })
  await eventually('the event is in the history', async () =>
    (await node.sessions.history(id)).items.some((event) => event.type === 'turn.started'),
  )
  const second = startCli(['run', '--session', id, 'y'], { node })
  await second.seen(/waiting behind 1 other prompt/)
  second.interrupt('SIGINT')
  assert.equal(await second.code, 130)
  assert.equal((await node.sessions.history(id)).items.at(-1)?.type, 'prompt.withdrawn')
  first.interrupt('SIGINT')
  assert.equal(await first.code, 130)
})

test('Ctrl-C while a node starts closes it when it is there', async () => {
  const node = fakeNode()
  const opening = Promise.withResolvers<typeof node>()
  const started = startCli(['nodes'], { over: { openNode: () => opening.promise } })
  started.interrupt('SIGINT')
  assert.equal(await started.code, 130)
  opening.resolve(node)
  await eventually('the node is closed', () => node.closed === 1)
})

test('Ctrl-C while stdin is read ends it', async () => {
  const started = startCli(['run'])
  started.interrupt('SIGINT')
  assert.equal(await started.code, 130)
  assert.equal(started.stdin.destroyed, true)
})

test('a reader of stdout that goes away cancels the turn, quietly', async () => {
  const node = nodeOf(async (turn) => {
    turn.say('begun')
    await new Promise((resolve) => turn.signal.addEventListener('abort', resolve))
  })
  const stdout = new PassThrough()
  const started = startCli(['run', 'x'], { node, over: { stdout } })
  await new Promise((resolve) => stdout.once('data', resolve))
  stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  assert.equal(await started.code, 130)
  assert.doesNotMatch(started.stderr(), /error/)
})

test('run waits until a slow reader has all of it', async () => {
  const node = nodeOf(async (turn) => turn.say('x'.repeat(500_000)))
  const stdout = new PassThrough({ highWaterMark: 1_024 })
  const started = startCli(['run', 'x'], { node, over: { stdout } })
  let isOver = false
  const over = started.code.finally(() => (isOver = true))
  await eventually('stdout is full', () => stdout.writableLength > 400_000)
  assert.equal(isOver, false)
  let size = 0
  stdout.on('data', (chunk: Buffer) => (size += chunk.length))
  assert.equal(await over, 0)
  assert.equal(size, 500_001)
})

test('an error before the turn is printed with its hint and its exit code', async () => {
  const node = fakeNode()
  node.sessions.create = async () => {
    throw new AppError('model_unavailable', 'no model', { hint: 'set ANTHROPIC_API_KEY' })
  }
  const ran = await cli(['run', 'x'], { node })
  assert.equal(ran.code, 3)
  assert.equal(ran.stderr, 'error[model_unavailable]: no model\nhint: set ANTHROPIC_API_KEY\n')
  assert.equal(node.closed, 1)
})

test('a prompt that the session refuses ends run with its error', async () => {
  const node = fakeNode()
  node.sessions.prompt = async () => {
    throw new AppError('busy', 'the queue is full')
  }
  const ran = await cli(['run', 'x'], { node })
  assert.equal(ran.code, 1)
  assert.match(ran.stderr, /error\[busy\]: the queue is full/)
})

test('sessions resume continues the interrupted turn', async () => {
  const node = nodeOf(async (turn) => turn.say(turn.prompt))
  const { id } = node.sessions.add({ state: 'interrupted' })
  const ran = await cli(['sessions', 'resume', id], { node })
  assert.equal(ran.stdout, 'resumed\n')
  assert.equal(ran.code, 0)
  assert.deepEqual(node.sessions.resumed, [id])
})

const CHOICES = [{ label: 'red', description: 'as a rose' }, { label: 'blue' }]

test('on a terminal, run asks what the turn asks, and the answers go on with it', async () => {
  const script: Script = async (turn) => {
    const colour = await turn.question({ text: 'Which colour?', choices: CHOICES })
    turn.say(`${JSON.stringify(colour)} and ${await turn.ask('edit')}`)
  }
  const node = fakeNode({ script })
  const run = startCli(['run', 'paint it'], { node, tty: true })
  await run.seen(/\? Which colour\?\n  1 red — as a rose\n  2 blue\n[^]*1–2, or your own words › /)
  run.stdin.write('2\n')
  await run.seen(/allow edit\? y once/)
  run.stdin.write('y\n')
  assert.equal(await run.code, 0)
  assert.match(run.stdout(), /{"choices":\["blue"\]} and allow/)
  assert.equal(node.sessions.inits[0]?.unattended, false)
})

test('without a terminal nobody is asked', async () => {
  const node = fakeNode()
  await cli(['run', 'hello'], { node })
  assert.equal(node.sessions.inits[0]?.unattended, true)
})

test('a question in a session that expects a person is left without an answer where there is none', async () => {
  const node = fakeNode({ script: async (turn) => turn.say(`said ${JSON.stringify(await turn.question({ text: 'Well?' }))}`) })
  const { id } = node.sessions.add()
  const done = await cli(['run', '--session', id, 'go'], { node })
  assert.equal(done.code, 0)
  assert.match(done.stdout, /said "deny"/)
  assert.match(done.stderr, /\? Well\?\n *not answered by laptop: it was declined/)
})
