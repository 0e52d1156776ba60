import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { DurableEventInit } from '@qmtcode/protocol'
import { calls, createTurnKit, says } from './turn-kit.ts'

const colour = { question: 'Which colour?', choices: [{ label: 'red' }, { label: 'blue', description: 'as the sea' }] }

test('the model asks, and reads what was chosen and said as the user’s words', async () => {
  await using kit = await createTurnKit({
    script: [calls(['question', colour]), says('ok')],
    reply: { choices: ['red'], text: 'but\ndark' },
  })
  await kit.run('paint it')
  assert.deepEqual(kit.questions, [
    { callId: 'question-0', text: 'Which colour?', choices: colour.choices, multiple: false, freeText: true },
  ])
  assert.deepEqual(kit.ended(), [{ name: 'question', output: 'The user (here) chose: "red"\nand wrote:\n> but\n> dark', isError: false }])
  assert.deepEqual(kit.asked, [], 'no permission is needed to ask')
})

test('where nobody answers the model is told so at once', async () => {
  await using kit = await createTurnKit({ script: [calls(['question', colour]), says('ok')], permissions: { read: 'ask' } })
  await kit.run('paint it')
  assert.match(kit.ended()[0]?.output ?? '', /^no answer: nobody is here to ask\. Go on without it/)
  assert.deepEqual(kit.asked, [])
})

test('a question that cannot be answered is refused, with what is wrong', async () => {
  const closed = { question: 'Well?', choices: [], free_text: false }
  const twice = { question: 'Well?', choices: [{ label: 'a' }, { label: ' a' }] }
  await using kit = await createTurnKit({
    script: [calls(['question', closed], ['question', twice], ['question', { question: ' ' }]), says('ok')],
  })
  await kit.run('ask')
  const outputs = kit.ended().map(({ output }) => output)
  assert.match(outputs[0] ?? '', /without choices only a text answers/)
  assert.match(outputs[1] ?? '', /two choices have the same label/)
  assert.match(outputs[2] ?? '', /input of question is not right/)
  assert.deepEqual(kit.questions, [])
})

const promptId = newPromptId()
const turnId = 'turn-9'

/** The log of a turn that waited when its node stopped: `asked` of its one call. */
async function cut(
  kit: Awaited<ReturnType<typeof createTurnKit>>,
  call: { tool: string; input: Record<string, string> },
  asked: DurableEventInit[],
) {
  const part = { type: 'tool-call' as const, toolCallId: 'c1', toolName: call.tool, input: call.input }
  const events: DurableEventInit[] = [
    { type: 'prompt.accepted', promptId, author: { node: 'here' }, content: [{ type: 'text', text: 'go' }], position: 0 },
    { type: 'turn.started', turnId, promptId },
    { type: 'message.completed', turnId, messageId: 'msg_1' as never, role: 'assistant', text: '', content: [part] },
    { type: 'tool.started', turnId, callId: 'c1', name: call.tool, input: call.input, node: 'here' },
    ...asked,
  ]
  for (const event of events) await kit.log(event)
}

test('a turn that waited for a permission goes on with its call, which runs once and is started once', async () => {
  await using kit = await createTurnKit({ script: [says('done')], answer: 'allow' })
  const input = { path: 'a.txt', content: 'x\n' }
  const request = { id: 'ask_1', callId: 'c1', tool: 'write_file', input, summary: 'write a.txt (2 characters)', needs: ['edit'] }
  await cut(kit, { tool: 'write_file', input }, [{ type: 'permission.requested', turnId, author: { node: 'here' }, ...request }])
  await kit.resume({ promptId, turnId })
  assert.deepEqual(kit.ended(), [{ name: 'write_file', output: 'created a.txt (1 lines)', isError: false }])
  assert.equal(kit.events.filter(({ type }) => type === 'tool.started').length, 1)
  assert.equal(kit.sent.length, 1)
  assert.equal(kit.sent[0]?.prompt.at(-1)?.role, 'tool')
})

test('what was asked before the stop must be what the answer is for', async () => {
  await using kit = await createTurnKit({ script: [says('done')], answer: 'allow' })
  const input = { path: 'a.txt', content: 'x\n' }
  const request = { id: 'ask_1', callId: 'c1', tool: 'write_file', input, summary: 'write b.txt (2 characters)', needs: ['edit'] }
  await cut(kit, { tool: 'write_file', input }, [{ type: 'permission.requested', turnId, author: { node: 'here' }, ...request }])
  await kit.resume({ promptId, turnId })
  assert.match(kit.ended()[0]?.output ?? '', /changed while this was asked/)
})

test('a call that had its permission is not run again', async () => {
  await using kit = await createTurnKit({ script: [says('done')], answer: 'allow' })
  const input = { path: 'a.txt', content: 'x\n' }
  const request = { id: 'ask_1', callId: 'c1', tool: 'write_file', input, summary: 'write a.txt (2 characters)', needs: ['edit'] }
  await cut(kit, { tool: 'write_file', input }, [
    { type: 'permission.requested', turnId, author: { node: 'here' }, ...request },
    { type: 'permission.answered', turnId, id: 'ask_1', answer: 'allow' },
  ])
  await kit.resume({ promptId, turnId })
  assert.match(kit.ended()[0]?.output ?? '', /^interrupted: it may have run/)
})
