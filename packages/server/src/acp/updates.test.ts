import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageIdSchema, peerIdSchema, sessionIdSchema } from '@qmtcode/protocol'
import type { SessionEvent } from '@qmtcode/protocol'
import { createUpdates } from './updates.ts'

const messageId = messageIdSchema.parse('m1')
const live = { at: 0, sessionId: sessionIdSchema.parse('ses_abcd'), turnId: 't1' }
const durable = { ...live, seq: 1 }
const delta = (text: string, kind: 'text' | 'reasoning' = 'text'): SessionEvent => ({
  ...live,
  type: 'message.delta',
  messageId,
  kind,
  text,
})
const completed = (text: string, reasoning = ''): SessionEvent => ({
  ...durable,
  type: 'message.completed',
  messageId,
  role: 'assistant',
  text,
  content: [
    { type: 'reasoning', text: reasoning },
    { type: 'text', text },
  ],
})
const updatesOf = (events: SessionEvent[], takesNotices = false) => {
  const updates = createUpdates({ workspace: '/w', isLocal: true, takesNotices })
  return events.flatMap((event) => updates.of(event))
}
const chunks = (events: SessionEvent[]) =>
  updatesOf(events).map((update) => ('content' in update && update.content && 'text' in update.content ? update.content.text : update))

test('a message that was streamed whole is not said again when it is complete', () => {
  assert.deepEqual(chunks([delta('hm', 'reasoning'), delta('one '), delta('two'), completed('one two', 'hm')]), ['hm', 'one ', 'two'])
})

test('what was lost of a stream comes with the snapshot, and with the whole message', () => {
  const snapshot: SessionEvent = { ...live, type: 'message.snapshot', messageId, textSoFar: 'one two', reasoningSoFar: 'hm' }
  assert.deepEqual(chunks([delta('one '), snapshot, delta(' three'), completed('one two three four', 'hm')]), [
    'one ',
    'hm',
    'two',
    ' three',
    ' four',
  ])
})

test('a replayed message is said once, thoughts first', () => {
  assert.deepEqual(chunks([completed('text', 'thought')]), ['thought', 'text'])
})

test('calls that a model counts anew in each turn stay apart', () => {
  const call = (turnId: string): SessionEvent => ({
    ...durable,
    turnId,
    type: 'tool.started',
    callId: '1',
    name: 'shell',
    input: {},
    node: 'n',
  })
  const ids = updatesOf([call('t1'), call('t2')]).map((update) => 'toolCallId' in update && update.toolCallId)
  assert.equal(new Set(ids).size, 2)
})

test('live output of a tool is shown as a whole, the latest of it', () => {
  const progress = (text: string): SessionEvent => ({ ...live, type: 'tool.progress', callId: 'c', text })
  const shown = JSON.stringify(updatesOf([progress('a\n'), progress('b\n'), progress('x'.repeat(9_000))]))
  assert.ok(shown.includes('a\\nb\\n'))
  assert.ok(shown.length < 9_000)
})

test('a lost link is a notice, for an editor that takes notices', () => {
  const peerId = peerIdSchema.parse('12D3KooWAbCdEfGhJkLmNpQrStUvWxYz123456789AbCdEfGhJkL')
  const lost: SessionEvent = { at: 0, sessionId: live.sessionId, type: 'link.lost', peerId, node: 'box', graceMs: 60_000 }
  assert.deepEqual(updatesOf([lost]), [])
  assert.deepEqual(updatesOf([lost], true), [
    { sessionUpdate: 'notice', severity: 'warning', title: 'box cannot be reached: reconnecting, for 60 s' },
  ])
})
