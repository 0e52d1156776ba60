import assert from 'node:assert/strict'
import test from 'node:test'
import type { ModelPart } from '@qmtcode/protocol'
import { calls, createTurnKit, finish, says } from './turn-kit.ts'
import type { KitOptions } from './turn-kit.ts'

const text = (delta: string): ModelPart[] => [{ type: 'text-delta', id: '1', delta }]
const thought = (delta: string): ModelPart[] => [{ type: 'reasoning-delta', id: '1', delta }]

const ENDINGS: [title: string, parts: ModelPart[], stopReason: string, message?: RegExp][] = [
  ['a word', [...text('hello'), finish('stop')], 'completed'],
  ['a thought and a word', [...thought('hm'), ...text('hello'), finish('stop')], 'completed'],
  ['a thought alone', [...thought('hm'), finish('stop')], 'empty', /after its thoughts/],
  ['nothing', [finish('stop')], 'empty', /without an answer/],
  ['blanks', [...text(' \n\t'), finish('stop')], 'empty', /without an answer/],
  ['a call that is said and not made', [finish('tool-calls')], 'unparsed_call', /gave no call/],
  ['a call that is said and not made, with a word', [...text('I look'), finish('tool-calls')], 'unparsed_call', /gave no call/],
  [
    'a call in plain text',
    [...text('<tool_call>{"name":"list_files","arguments":{}}</tool_call>'), finish('stop')],
    'unparsed_call',
    /list_files/,
  ],
  ['an error', [...text('hel'), finish('error')], 'failed', /stopped with an error/],
  ['a filter', [finish('content-filter')], 'refused'],
  ['the length', [...text('hel'), finish('length')], 'length'],
]
for (const [title, parts, stopReason, message] of ENDINGS) {
  test(`no ending is taken for success that is none: ${title}`, async () => {
    await using kit = await createTurnKit({ script: [parts] })
    const outcome = await kit.run('go')
    assert.equal(outcome.stopReason, stopReason)
    if (message) assert.match(outcome.error?.message ?? '', message)
  })
}

const LOOPS: [title: string, round: KitOptions['script'], most: number][] = [
  ['the same call', [calls(['list_files', {}])], 5],
  ['two calls in turn', [calls(['list_files', {}]), calls(['list_files', { path: '.' }])], 10],
  [
    'three calls in turn',
    [calls(['list_files', {}]), calls(['list_files', { path: '.' }]), calls(['read_file', { path: 'nope.txt' }])],
    15,
  ],
  ['a file that is not there', [calls(['read_file', { path: 'nope.txt' }])], 5],
  ['a tool that is not there', [calls(['no_such_tool', {}])], 5],
  ['two calls at once', [calls(['list_files', {}], ['read_file', { path: 'nope.txt' }])], 5],
]
for (const [title, round, most] of LOOPS) {
  test(`no loop runs to a hundred: ${title}`, async () => {
    const script = Array.from({ length: 40 }, () => round).flat()
    await using kit = await createTurnKit({ script })
    const outcome = await kit.run('go')
    assert.equal(outcome.stopReason, 'looping')
    assert.equal(kit.sent.length, most)
  })
}

test('the same call with other results is no loop', async () => {
  const script = [...Array.from({ length: 12 }, () => calls(['shell', { command: 'date +%N' }])), says('done')]
  await using kit = await createTurnKit({ script })
  assert.equal((await kit.run('go', { allow: ['shell'] })).stopReason, 'completed')
})

test('input that the length limit cuts is named as cut, and the third time ends the turn', async () => {
  const cut: ModelPart[] = [
    { type: 'tool-call', toolCallId: 'c', toolName: 'write_file', input: '{"path":"a","content":"lon' },
    finish('length'),
  ]
  await using kit = await createTurnKit({ script: [cut, cut, cut, says('done')] })
  assert.equal((await kit.run('go')).stopReason, 'length')
  assert.equal(kit.sent.length, 3)
  assert.match(kit.ended()[0]?.output ?? '', /cut by the limit of the output: write less at once/)
})

test('the model is told that its answer was cut', async () => {
  await using kit = await createTurnKit({ script: [[...text('hel'), finish('length')], says('lo')] })
  await kit.run('go')
  await kit.run('continue')
  assert.match(JSON.stringify(kit.sent[1]?.prompt), /was cut by the length limit/)
})
