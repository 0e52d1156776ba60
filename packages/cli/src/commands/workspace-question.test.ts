import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import type { Workspaces } from '../node-handle.ts'
import { cli, fakeNode, startCli } from './cli-kit.ts'
import type { FakeNode } from './cli-kit.ts'

type State = Awaited<ReturnType<Workspaces['look']>>['files'][number]['state']

/** A node whose workspace brings AGENTS.md and settings of Claude Code. */
function bringing(state: State = 'new'): FakeNode & { decisions: string[] } {
  const decisions: string[] = []
  const files = [
    { path: 'AGENTS.md', by: 'an agent', runs: false, print: 'a', state },
    { path: '.claude', by: 'Claude Code', runs: true, print: 'b', state },
  ]
  const workspaces: Workspaces = {
    look: async () => structuredClone({ root: '/work', files }),
    decide: async (directory, seen, decision) => {
      decisions.push(`${decision} ${directory}: ${seen.map(({ path, print }) => `${path}=${print}`).join(' ')}`)
      for (const file of files) file.state = decision === 'trust' ? 'trusted' : 'declined'
    },
  }
  return Object.assign(fakeNode({ workspaces }), { decisions })
}

const ASKED =
  /\/work brings files that programs or agents obey:\n {2}AGENTS\.md {2}an agent obeys what is written there\n {2}\.claude {4}Claude Code runs what/

for (const [word, decision] of Object.entries({ y: 'trust', yes: 'trust', n: 'decline', NO: 'decline' })) {
  test(`what a workspace brings is shown, and asked about before the prompt: ${word}`, async () => {
    const node = bringing()
    const run = startCli(['run', 'hello'], { node, tty: true })
    await run.seen(/trust them as they are now\? y · n ›/)
    assert.match(run.stderr(), ASKED)
    assert.equal(run.stdout(), '')
    run.stdin.write(`what?\n`)
    await run.seen(/›.*›/)
    run.stdin.write(`${word}\n`)
    assert.equal(await run.code, 0)
    assert.deepEqual(node.decisions, [`${decision} /work: AGENTS.md=a .claude=b`])
    assert.equal(run.stdout(), 'hello\n')
  })
}

test('the end of the input is no', async () => {
  const node = bringing()
  const run = startCli(['run', 'hello'], { node, tty: true })
  await run.seen(/trust them/)
  run.stdin.end()
  await run.code
  assert.match(String(node.decisions), /^decline/)
})

test('the chat asks before its first prompt', async () => {
  const node = bringing()
  const chat = startCli([], { node, tty: true })
  await chat.seen(/trust them as they are now/)
  chat.stdin.write('y\n')
  await eventually('it is decided', () => String(node.decisions).startsWith('trust'))
  await eventually('the chat has begun', () => node.watchers() === 1)
  chat.stdin.write('\u0004')
  assert.equal(await chat.code, 0)
})

test('what was decided is not asked again; what was not trusted is told in a line', async () => {
  for (const [state, pattern] of [
    ['trusted', /^(?!.*not trusted)/],
    ['declined', /not trusted in this workspace: AGENTS\.md, \.claude; .*:\sqmtcode trust \/work\n/],
  ] as const) {
    const node = bringing(state)
    const done = await cli(['run', 'hello'], { node, tty: true })
    assert.equal(done.code, 0)
    assert.match(done.stderr, pattern)
    assert.deepEqual(node.decisions, [])
  }
})

test('where nobody can be asked a line says it, nothing is decided, and the prompt goes on', async () => {
  for (const args of [
    ['run', 'hello'],
    ['run', '--json', 'hello'],
    ['run', '--headless', 'hello'],
  ]) {
    const node = bringing()
    const done = await cli(args, { node })
    assert.equal(done.code, 0, done.stderr)
    assert.match(done.stderr, /not trusted in this workspace: AGENTS\.md, \.claude/)
    assert.deepEqual(node.decisions, [])
    assert.equal(node.sessions.inits.length, 1)
  }
})

test('a workspace that cannot be looked at is told, and trusted in nothing', async () => {
  const look = async () => await Promise.reject(new AppError('bad_config', 'trusted_workspaces.json is corrupt'))
  const node = fakeNode({ workspaces: { look, decide: async () => {} } })
  const done = await cli(['run', 'hello'], { node })
  assert.equal(done.code, 0)
  assert.match(done.stderr, /could not be looked at: trusted_workspaces.json is corrupt/)
})

test('qmtcode trust shows what there is; with --yes it trusts it, else it asks, and off a terminal it says how', async () => {
  const off = await cli(['trust'], { node: bringing() })
  assert.equal(off.code, 4)
  assert.match(off.stdout, /\/work brings:\n {2}AGENTS\.md/)
  assert.match(off.stderr, /nobody sits at a terminal.*\n.*qmtcode trust --yes/)
  const node = bringing('changed')
  const done = await cli(['trust', '--yes'], { node })
  assert.equal(done.code, 0, done.stderr)
  assert.match(done.stdout, /changed since you decided[^]*all of it is trusted, as it is now/)
  assert.match(String(node.decisions), /^trust/)
  const asking = bringing('declined')
  const asked = startCli(['trust'], { node: asking, tty: true })
  await asked.seen(/trust them as they are now/)
  asked.stdin.write('y\n')
  assert.equal(await asked.code, 0)
  assert.match(String(asking.decisions), /^trust/)
  const listed = bringing()
  const { workspace, files } = JSON.parse((await cli(['trust', '--json'], { node: listed })).stdout)
  assert.deepEqual([workspace, files[0]], ['/work', { path: 'AGENTS.md', by: 'an agent', runs: false, state: 'new' }])
  assert.deepEqual(listed.decisions, [])
})

test('a tool does not say --yes', async () => {
  const node = bringing()
  const done = await cli(['trust', '--yes'], { node, over: { env: { QMTCODE_TOOL: '1' } } })
  assert.equal(done.code, 4)
  assert.deepEqual(node.decisions, [])
})
