import assert from 'node:assert/strict'
import test from 'node:test'
import { newSessionId, promptContentSchema, toBase64 } from '@qmtcode/protocol'
import type { ContentPart, DurableEvent, DurableEventInit, MessageId, PromptContent, PromptId } from '@qmtcode/protocol'
import { CONTINUE, foldPrompt } from './prompt.ts'

const sessionId = newSessionId()
const author = { node: 'here' }
const usage = { inputTokens: 1, outputTokens: 1 }

const logOf = (...inits: DurableEventInit[]): DurableEvent[] => inits.map((init, index) => ({ ...init, sessionId, at: 0, seq: index + 1 }))
const prompt = (id: string, content?: PromptContent): DurableEventInit => ({
  type: 'prompt.accepted',
  promptId: id as PromptId,
  author,
  content: content ?? [{ type: 'text', text: id }],
  position: 0,
})
const start = (id: string): DurableEventInit => ({ type: 'turn.started', turnId: `turn-${id}`, promptId: id as PromptId })
const message = (content: ContentPart[], partial?: boolean): DurableEventInit => ({
  type: 'message.completed',
  turnId: 't',
  messageId: 'm' as MessageId,
  role: 'assistant',
  text: '',
  content,
  partial,
})
const call = (toolCallId: string): ContentPart => ({ type: 'tool-call', toolCallId, toolName: 'read_file', input: { path: toolCallId } })
const text = (value: string): ContentPart => ({ type: 'text', text: value })
const result = (callId: string, isError = false): DurableEventInit => ({
  type: 'tool.ended',
  turnId: 't',
  callId,
  name: 'read_file',
  input: {},
  output: `of ${callId}`,
  isError,
  durationMs: 1,
})
const end = (id: string, stopReason: 'completed' | 'cancelled' | 'failed' = 'completed'): DurableEventInit => ({
  type: 'turn.ended',
  turnId: `turn-${id}`,
  promptId: id as PromptId,
  stopReason,
  usage,
})

/** Roles and texts, short enough to compare. */
function brief(events: DurableEvent[]): string[] {
  return foldPrompt(events).map(({ role, content }) => {
    const parts = typeof content === 'string' ? [content] : content.map((part) => ('text' in part ? part.text : `<${part.type}>`))
    return `${role}: ${parts.join(' | ')}`
  })
}

test('a prompt stands where its turn began, not where it was queued', () => {
  const events = logOf(prompt('one'), start('one'), prompt('two'), message([text('first')]), end('one'), start('two'), prompt('three'))
  assert.deepEqual(brief(events), ['user: one', 'assistant: first', 'user: two'])
})

test('what a provider wants back goes back to it', () => {
  const metadata = { anthropic: { signature: 's' } }
  const content: ContentPart[] = [
    { type: 'reasoning', text: 'hm', providerMetadata: metadata },
    { type: 'reasoning', text: '', providerMetadata: { openai: { encrypted: 'x' } } },
    { type: 'reasoning', text: '' },
    { type: 'text', text: '' },
    { type: 'tool-call', toolCallId: 'c', toolName: 'read_file', input: {}, providerMetadata: { google: { thought: 't' } } },
  ]
  const folded = foldPrompt(logOf(prompt('p'), start('p'), message(content), result('c', true)))
  assert.deepEqual(folded.slice(1), [
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', providerOptions: metadata },
        { type: 'reasoning', text: '', providerOptions: { openai: { encrypted: 'x' } } },
        { type: 'tool-call', toolCallId: 'c', toolName: 'read_file', input: {}, providerOptions: { google: { thought: 't' } } },
      ],
    },
    {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId: 'c', toolName: 'read_file', output: { type: 'error-text', value: 'of c' } }],
    },
  ])
})

test('of a partial message only the text stays', () => {
  const events = logOf(
    prompt('p'),
    start('p'),
    message([{ type: 'reasoning', text: 'hm' }, text('half'), call('c')], true),
    end('p', 'cancelled'),
  )
  assert.deepEqual(brief([...events, ...logOf(prompt('q'), start('q'))]), [
    'user: p',
    'assistant: half',
    'user: The turn above was cancelled by the user. | q',
  ])
})

test('a resumed turn asks once, and is told to go on where the model spoke last', () => {
  const events = logOf(prompt('p'), start('p'), message([text('half')], true), start('p'))
  assert.deepEqual(brief(events), ['user: p', 'assistant: half', `user: ${CONTINUE}`])
  assert.deepEqual(brief(logOf(prompt('p'), start('p'), start('p'))), ['user: p'])
})

test('a file of an older log that is not base64 ends no turn', () => {
  for (const mediaType of ['text/plain', 'image/png'])
    for (const data of ['!', 'AAA', 'file:///etc/passwd', 'AA=A', '\ud800']) {
      const content = [{ type: 'file' as const, mediaType, data, filename: 'x' }]
      assert.equal(promptContentSchema.safeParse(content).success, false, data)
      const text = JSON.stringify(foldPrompt(logOf(prompt('p', content), start('p'))))
      assert.match(text, /\[x \(.*\) came damaged\]/)
    }
})

test('files go along, text files as text', () => {
  const data = toBase64(new TextEncoder().encode('a,b'))
  const content: PromptContent = [
    { type: 'file', mediaType: 'text/csv', data, filename: 'x.csv' },
    { type: 'file', mediaType: 'image/png', data: 'AAAA' },
  ]
  assert.deepEqual(foldPrompt(logOf(prompt('p', content), start('p'))), [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Attached file x.csv:\na,b' },
        { type: 'file', mediaType: 'image/png', filename: undefined, data: { type: 'data', data: 'AAAA' } },
      ],
    },
  ])
})

test('a log cut anywhere folds to a prompt that providers take', () => {
  const whole = logOf(
    prompt('one'),
    start('one'),
    message([text('look'), call('a'), call('b')]),
    result('b'),
    result('a'),
    message([call('c')]),
    result('c', true),
    message([text('done')]),
    end('one'),
    prompt('two'),
    start('two'),
    message([call('d'), call('e')]),
    result('d'),
    end('two', 'cancelled'),
    prompt('three'),
    start('three'),
  )
  for (let length = 2; length <= whole.length; length += 1) {
    for (const tail of [[], logOf(prompt('after'), start('after')), logOf(start('one'), message([text('x')]))]) {
      assertValid([...whole.slice(0, length), ...tail])
    }
  }
})

function assertValid(events: DurableEvent[]): void {
  const messages = foldPrompt(events)
  assert.notEqual(messages.at(-1)?.role, 'assistant')
  for (const [index, { role, content }] of messages.entries()) {
    assert.ok(content.length > 0)
    if (role !== 'assistant') continue
    const calls = content.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : []))
    const next = messages[index + 1]
    const results = next?.role === 'tool' ? next.content.map((part) => (part.type === 'tool-result' ? part.toolCallId : '')) : []
    assert.deepEqual(results, calls)
  }
}
