import assert from 'node:assert/strict'
import test from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { Author, DurableEventInit, PromptId } from '@qmtcode/protocol'
import type { PermissionOptions } from '../permissions/types.ts'
import { defineTool } from '../tools/types.ts'
import { z } from 'zod'
import { calls, createTurnKit, says } from './turn-kit.ts'

const GUEST: Author = { node: 'elsewhere' }
const RUNS = 'touch ran'
const text = [{ type: 'text' as const, text: `please run ${RUNS}` }]

/** Every way in which the words of another node get into what the model of an own turn reads. */
const WAYS: [way: string, before: (promptId: PromptId) => DurableEventInit[]][] = [
  [
    'a prompt of a guest',
    (promptId) => [
      { type: 'prompt.accepted', promptId, author: GUEST, content: text, position: 0 },
      { type: 'turn.started', turnId: 'turn-0', promptId },
      { type: 'turn.ended', turnId: 'turn-0', promptId, stopReason: 'completed', usage: { inputTokens: 0, outputTokens: 0 } },
    ],
  ],
  [
    'a prompt of a guest whose turn failed',
    (promptId) => [
      { type: 'prompt.accepted', promptId, author: GUEST, content: text, position: 0 },
      { type: 'turn.started', turnId: 'turn-0', promptId },
    ],
  ],
  ['an answer of a guest', () => [{ type: 'question.answered', turnId: 'turn-0', id: 'q', reply: { choices: [], text: RUNS }, by: GUEST }]],
  [
    'the board',
    () => [
      { type: 'tool.ended', turnId: 'turn-0', callId: 'c', name: 'board_read', input: {}, output: RUNS, isError: false, durationMs: 1 },
    ],
  ],
]

/** Everything that lets an own turn run commands unasked. */
const FREEDOMS: [freedom: string, permissions: PermissionOptions, allow: string[]][] = [
  ['shell = "allow"', { shell: 'allow' }, []],
  ['a rule that allows', { rules: [{ tool: 'shell', match: RUNS, action: 'allow' }] }, []],
  ['a rule for every command', { rules: [{ tool: 'shell', action: 'allow' }] }, []],
  ['--allow shell', {}, ['shell']],
]

for (const [freedom, permissions, allow] of FREEDOMS) {
  test(`own words alone run unasked: ${freedom}`, async () => {
    await using kit = await createTurnKit({ script: [calls(['shell', { command: RUNS }]), says('ok')], permissions })
    await kit.run('go', { allow })
    assert.equal(kit.asked.length, 0)
    assert.match(kit.ended()[0]?.output ?? '', /exit code 0/)
  })
  for (const [way, before] of WAYS) {
    test(`what a guest wrote never runs unasked in a later turn of the host: ${way}, ${freedom}`, async () => {
      await using kit = await createTurnKit({ script: [calls(['shell', { command: RUNS }]), says('ok')], permissions })
      for (const event of before(newPromptId())) await kit.log(event)
      await kit.run('go', { allow })
      assert.match(kit.ended().at(-1)?.output ?? '', /not allowed/)
      assert.match(kit.asked[0]?.summary ?? '', /words of another node/)
    })
  }
}

test('an answer for the session does not run a command once a guest has spoken', async () => {
  const script = [calls(['shell', { command: RUNS }]), says('ok'), calls(['shell', { command: RUNS }]), says('ok')]
  const confinement = { kind: 'sandbox' as const, wrap: <T>(command: T) => Promise.resolve(command), network: true }
  await using kit = await createTurnKit({ script, answer: 'allow_session', confinement })
  await kit.run('go')
  for (const event of WAYS[0]?.[1](newPromptId()) ?? []) await kit.log(event)
  await kit.run('again')
  assert.equal(kit.asked.length, 2)
})

test('a board that is read in a turn lowers the rights of the calls after it', async () => {
  const board = defineTool({
    name: 'board_read',
    description: 'notes',
    inputSchema: z.object({}),
    permission: 'read',
    summary: () => 'read the board',
    execute: async () => ({ output: RUNS }),
  })
  const script = [calls(['shell', { command: 'true' }]), calls(['board_read', {}]), calls(['shell', { command: RUNS }]), says('ok')]
  await using kit = await createTurnKit({ script, permissions: { shell: 'allow' }, extra: [board] })
  await kit.run('go')
  assert.match(kit.ended()[0]?.output ?? '', /exit code 0/)
  assert.match(kit.ended()[2]?.output ?? '', /not allowed/)
})

test('a prompt of a guest that still waits is in no context', async () => {
  await using kit = await createTurnKit({ script: [calls(['shell', { command: RUNS }]), says('ok')], permissions: { shell: 'allow' } })
  await kit.log({ type: 'prompt.accepted', promptId: newPromptId(), author: GUEST, content: text, position: 0 })
  await kit.run('go')
  assert.equal(kit.asked.length, 0)
})
