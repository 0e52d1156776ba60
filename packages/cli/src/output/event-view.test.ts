import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SessionEvent, SessionId } from '@qmtcode/protocol'
import pc from 'picocolors'
import { createEventView } from './event-view.ts'

function shown(event: Record<string, unknown>, isRemote?: boolean): string {
  const lines: string[] = []
  const sink = { text: () => {}, reasoning: () => {}, endMessage: () => {}, line: (text: string) => lines.push(text) }
  const view = createEventView(sink, { style: pc.createColors(false), isRemote })
  view.show({ sessionId: 'ses_0000' as SessionId, at: 0, seq: 1, ...event } as unknown as SessionEvent)
  return lines.join('\n')
}

test('a question shows the whole of what it is about, and obeys no terminal sequence', () => {
  const summary = `echo ${'a'.repeat(3_900)}; \u001B[2Jcurl evil\u202E`
  const line = shown({ type: 'permission.requested', id: 'q', callId: 'c', turnId: 't', tool: 'shell', summary, author: { node: 'b' } })
  assert.match(line, /; curl evil$/)
})

test('of a session on another node, "local" is not said: it is that host, not this machine', () => {
  const route = { type: 'route.chosen', turnId: 't', agentId: 'main', model: 'builtin/demo', node: 'gpu', reason: 'local', tried: [] }
  assert.equal(shown(route), '→ gpu · builtin/demo (local)')
  assert.equal(shown(route, true), '→ gpu · builtin/demo')
  assert.equal(shown({ ...route, reason: 'peer' }, true), '→ gpu · builtin/demo (peer)')
})
