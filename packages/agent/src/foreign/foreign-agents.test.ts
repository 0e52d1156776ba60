import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { acpAgentCommand, eventually, followUntil, isGone } from '@qmtcode/testing'
import { eventOf, isEnd, isQuestion, saidIn, startForeignKit } from './foreign-kit.ts'
import type { ForeignKit } from './foreign-kit.ts'

const options = { timeout: 120_000 }

/** How a prompt fails. */
async function failureOf(kit: ForeignKit, id: Awaited<ReturnType<ForeignKit['create']>>, text: string) {
  const events = await kit.ask(id, text)
  const ended = eventOf(events, 'turn.ended')
  assert.equal(ended?.stopReason, 'failed', saidIn(events))
  return { error: ended.error, events }
}

test(
  'an agent that crashes fails its prompt with its last words; what it had said stays, and the next prompt goes on with its session',
  options,
  async () => {
    await using kit = await startForeignKit()
    const id = await kit.create()
    const first = eventOf(await kit.ask(id, 'say hello'), 'route.chosen')
    const { error, events } = await failureOf(kit, id, 'crash')
    assert.equal(error?.code, 'provider_error')
    assert.match(error?.message ?? '', /agent coder ended in the middle \(exit code 3\): the agent lost its mind/)
    assert.equal(eventOf(events, 'message.completed')?.partial, true)
    assert.match(saidIn(events), /about to crash/)
    const next = await kit.ask(id, 'recall')
    assert.match(saidIn(next), /\["say hello","crash","recall"\]/)
    assert.equal(eventOf(next, 'route.chosen')?.foreignSessionId, first?.foreignSessionId)
  },
)

test(
  'what the host runs is not decided inside the workspace: no agent starts, nor goes on, before its hooks are trusted',
  options,
  async () => {
    await using kit = await startForeignKit()
    await mkdir(join(kit.workspace, '.claude'))
    await writeFile(join(kit.workspace, '.claude', 'settings.json'), '{}')
    const id = await kit.create()
    const refused = async () => {
      const { error } = await failureOf(kit, id, 'say hello')
      assert.equal(error?.code, 'forbidden')
      assert.match(error?.message ?? '', /nobody here has trusted .*: \.claude/)
      assert.match(error?.hint ?? '', /qmtcode trust \//)
    }
    await refused()
    const [models] = await kit.agents.models({ workspace: kit.workspace })
    assert.equal(models?.code, 'forbidden')
    await assert.rejects(kit.pid())
    await kit.trust()
    assert.match(saidIn(await kit.ask(id, 'say hello')), /hello/)
    await writeFile(join(kit.workspace, '.claude', 'settings.json'), '{ "hooks": {} }')
    await refused()
  },
)

test('garbage on stdout fails the prompt and ends the process; a stray line does not', options, async () => {
  await using kit = await startForeignKit()
  const id = await kit.create()
  assert.equal(saidIn(await kit.ask(id, 'junk\nsay still here')), 'still here\n')
  const pid = await kit.pid()
  const { error } = await failureOf(kit, id, 'garbage')
  assert.match(error?.message ?? '', /does not speak ACP on its stdout: "garbage/)
  await eventually('it is ended', () => isGone(pid))
})

test('an agent that hangs is given up after its idle time; a person may think for longer', options, async () => {
  await using kit = await startForeignKit({ idleMs: 3_000 })
  const id = await kit.create()
  const events = await kit.ask(id, 'run a command', isQuestion)
  await delay(3_500) // longer than the idle time: that is what is tested
  await kit.sessions().answer(id, { id: eventOf(events, 'permission.requested')?.id ?? '', answer: 'allow' })
  const answered = await followUntil(kit.sessions(), id, isEnd)
  assert.equal(eventOf(answered, 'turn.ended')?.stopReason, 'completed')
  const pid = await kit.pid()
  const { error } = await failureOf(kit, id, 'hang')
  assert.equal(error?.code, 'timeout')
  assert.match(error?.message ?? '', /agent coder said nothing for 3 s/)
  await eventually('it is ended', () => isGone(pid))
})

test('what it asks where nobody can answer is denied, told to it, and in the log', options, async () => {
  await using kit = await startForeignKit()
  const id = await kit.create({ unattended: true })
  const events = await kit.ask(id, 'run touch me\nwrite made.txt hello')
  assert.equal(eventOf(events, 'turn.ended')?.stopReason, 'completed')
  assert.match(saidIn(events), /answer no\n.*refused: .*nobody can answer/)
  const answered = events.filter((event) => event.type === 'permission.answered')
  assert.deepEqual(
    answered.map(({ answer, by }) => [answer, by]),
    [
      ['deny', undefined],
      ['deny', undefined],
    ],
  )
  for (const file of ['ran.txt', 'made.txt']) assert.equal(existsSync(join(kit.workspace, file)), false)
})

test('a cancel ends a prompt, and one that waits for a permission; the same process goes on with the next', options, async () => {
  await using kit = await startForeignKit()
  const id = await kit.create()
  const cases: [prompt: string, until: Parameters<ForeignKit['ask']>[2]][] = [
    ['wait', ({ type }) => type === 'message.delta'],
    ['run touch me', isQuestion],
  ]
  for (const [prompt, until] of cases) {
    await kit.ask(id, prompt, until)
    await kit.sessions().cancel(id)
    const { items } = await kit.sessions().history(id)
    assert.equal(eventOf(items, 'turn.ended')?.stopReason, 'cancelled')
    assert.equal((await kit.sessions().get(id)).state, 'idle')
  }
  const pid = await kit.pid()
  assert.match(saidIn(await kit.ask(id, 'recall')), /\["wait","run touch me","recall"\]/)
  assert.equal(await kit.pid(), pid)
  assert.equal(existsSync(join(kit.workspace, 'ran.txt')), false)
})

for (const [flags, what] of [
  [[], 'session/load'],
  [['--resume'], 'session/resume'],
] as const) {
  test(`after a restart it goes on in its own session, by ${what}, and nothing is said twice`, options, async () => {
    await using kit = await startForeignKit({ command: acpAgentCommand(...flags) })
    const id = await kit.create()
    const before = await kit.ask(id, 'say hello')
    const pid = await kit.pid()
    await kit.restart()
    assert.ok(isGone(pid))
    const after = await kit.ask(id, 'recall')
    assert.equal(saidIn(after), '["say hello","recall"]')
    assert.equal(eventOf(after, 'route.chosen')?.foreignSessionId, eventOf(before, 'route.chosen')?.foreignSessionId)
  })
}

test('an agent that can do neither begins anew, and is told what was said', options, async () => {
  await using kit = await startForeignKit({ command: acpAgentCommand('--no-load') })
  const id = await kit.create()
  const before = await kit.ask(id, 'say the code is tangerine')
  await kit.restart()
  const after = await kit.ask(id, 'recall')
  assert.match(saidIn(after), /User: say the code is tangerine\\n\\nYou: the code is tangerine/)
  assert.notEqual(eventOf(after, 'route.chosen')?.foreignSessionId, eventOf(before, 'route.chosen')?.foreignSessionId)
})

/** An agent that answers as `answers` says, by method; anything else is an error. */
const agentThat = (answers: Record<string, object>): string[] => [
  process.execPath,
  '-e',
  `const answers = ${JSON.stringify(answers)}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line)
  const answer = answers[method] ?? { error: { code: -32601, message: 'Method not found: ' + method } }
  if (id !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, ...answer }) + '\\n')
})`,
]
const initialize = { result: { protocolVersion: 1, agentCapabilities: {} } }
const session = { result: { sessionId: 'one' } }

test('an agent that lacks what is needed is a clear error', options, async () => {
  const cases: [answers: Record<string, object>, init: object, error: RegExp][] = [
    [{}, {}, /agent coder did not open a session: .*Method not found/],
    [
      { initialize: { result: { protocolVersion: 2, agentCapabilities: {} } } },
      {},
      /agent coder speaks version 2 of ACP, this node version 1/,
    ],
    [{ initialize }, {}, /agent coder did not open a session: .*session\/new/],
    [{ initialize, 'session/new': { error: { code: -32_000, message: 'Authentication required' } } }, {}, /agent coder wants a login/],
    [{ initialize, 'session/new': session }, { mode: 'plan' }, /agent coder has no mode plan/],
    [{ initialize, 'session/new': session }, { model: 'coder/big' }, /agent coder lets nobody choose its model: coder\/big cannot be set/],
    [{ initialize, 'session/new': session }, {}, /agent coder failed: .*Method not found: session\/prompt/],
  ]
  for (const [answers, init, expected] of cases) {
    await using kit = await startForeignKit({ command: agentThat(answers) })
    const { error } = await failureOf(kit, await kit.create(init), 'hello')
    assert.match(error?.message ?? '', expected)
  }
})
