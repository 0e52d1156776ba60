import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sessionIdSchema } from '@qmtcode/protocol'
import type { Json } from '@qmtcode/protocol'
import { askedCallOf, endedCallOf, textContent, toolCallOf } from './tool-calls.ts'

const local = { workspace: '/work', isLocal: true }
const event = { seq: 1, at: 0, sessionId: sessionIdSchema.parse('ses_abcd'), turnId: 't', callId: 'c' }
const started = (name: string, input: Json) => ({ ...event, type: 'tool.started' as const, name, input, node: 'n' })
const ended = (name: string, input: Json, isError = false) => ({
  ...event,
  type: 'tool.ended' as const,
  name,
  input,
  output: 'out',
  isError,
  durationMs: 1,
})

const titles: [string, Json, string, string][] = [
  ['read_file', { path: 'a.ts', offset: 3 }, 'Read a.ts', 'read'],
  ['list_files', {}, 'List .', 'search'],
  ['search_text', { pattern: 'x', path: 'src' }, 'Search x in src', 'search'],
  ['edit', { path: 'a.ts', old_string: 'a', new_string: 'b' }, 'Edit a.ts', 'edit'],
  ['write_file', { path: 'a.ts', content: 'b' }, 'Write a.ts', 'edit'],
  ['shell', { command: 'npm\n test\u202e' }, 'npm test ', 'execute'],
  ['other', { a: 1 }, 'other {"a":1}', 'other'],
  ['shell', 'no object', 'shell', 'execute'],
]
for (const [name, input, title, kind] of titles) {
  test(`a call of ${name} with ${JSON.stringify(input)}`, () => {
    const call = toolCallOf(started(name, input), local)
    assert.equal(call.title, title)
    assert.equal(call.kind, kind)
  })
}

test('a file of the workspace is a location with its line; of another machine it is none', () => {
  const read = started('read_file', { path: 'a.ts', offset: 3 })
  assert.deepEqual(toolCallOf(read, local).locations, [{ path: '/work/a.ts', line: 3 }])
  assert.deepEqual(toolCallOf(read, { ...local, isLocal: false }).locations, [])
  assert.deepEqual(toolCallOf(started('read_file', { path: '/etc/x' }), local).locations, [{ path: '/etc/x' }])
})

test('an edit is shown as a diff, a failed one as its output', () => {
  const input = { path: 'a.ts', old_string: 'a', new_string: 'b' }
  const diff = { type: 'diff', path: '/work/a.ts', oldText: 'a', newText: 'b' }
  assert.deepEqual(toolCallOf(started('edit', input), local).content, [diff])
  assert.deepEqual(endedCallOf(ended('edit', input), local).content, [diff])
  const failed = endedCallOf(ended('edit', input, true), local)
  assert.equal(failed.status, 'failed')
  assert.deepEqual(failed.content, [textContent('out')])
})

test('output is fenced by more backticks than it has', () => {
  assert.deepEqual(textContent('a ```` b'), { type: 'content', content: { type: 'text', text: '`````\na ```` b\n`````' } })
})

test('a question says whose prompt caused it where that was not asked from here', () => {
  const asked = {
    ...event,
    type: 'permission.requested' as const,
    id: 'q',
    tool: 'shell',
    input: {},
    summary: 'run: ls',
    author: { node: 'box', user: 'ann' },
  }
  assert.equal(askedCallOf(asked, { ...local, isOurs: true }).title, 'run: ls')
  assert.equal(askedCallOf(asked, { ...local, isOurs: false }).title, 'run: ls (asked by ann on box)')
})
