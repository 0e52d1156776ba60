import assert from 'node:assert/strict'
import { test } from 'node:test'
import { violation } from './wire-kit.ts'

const chunk = (content: object) => ({ sessionId: 's', update: { sessionUpdate: 'agent_message_chunk', content } })

test('the published schema takes what is right, and tells what is wrong', () => {
  assert.equal(violation('Notification', 'session/update', chunk({ type: 'text', text: 'a' })), undefined)
  assert.match(violation('Notification', 'session/update', chunk({ type: 'text' })) ?? '', /SessionNotification/)
  assert.match(violation('Response', 'session/prompt', { stopReason: 'tired' }) ?? '', /PromptResponse/)
  assert.match(violation('Request', 'no/such', {}) ?? '', /the schema has no Request of no\/such/)
})
