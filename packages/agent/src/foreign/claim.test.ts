import assert from 'node:assert/strict'
import test from 'node:test'
import type { Json } from '@qmtcode/protocol'
import type { ToolPermission } from '../tools/types.ts'
import { claimOf } from './claim.ts'
import type { CallUpdate } from './updates.ts'

type Row = [permission: ToolPermission, kind: string | null, input: Json, more?: Partial<CallUpdate>]

const at = (...paths: string[]): Partial<CallUpdate> => ({ locations: paths.map((path) => ({ path })) })
const diff = (path: string): Partial<CallUpdate> => ({ content: [{ type: 'diff', path, newText: 'x' }] })

const ROWS: Row[] = [
  ['read', 'read', { file_path: '/w/a' }],
  ['read', 'read', {}, at('/w/a')],
  ['read', 'read', { path: 'a/[id].ts', limit: 5 }],
  ['read', 'read', { uri: 'file:///w/a%20b' }],
  ['read', 'read', { path: 'routes/$id.ts' }],
  ['read', 'search', { path: 'src', pattern: 'x.*y' }],
  ['edit', 'edit', { file_path: '/w/a', old_string: '/** a */', new_string: '~ b' }],
  ['edit', 'edit', {}, diff('/w/a')],
  ['edit', 'delete', { path: 'a' }],
  ['edit', 'move', { source: 'a', destination: 'b' }],
  ['web', 'fetch', { url: 'https://example.org/a', prompt: 'what is it' }],
  ['shell', 'execute', { command: 'ls' }],
  // an unclear kind
  ['shell', null, { path: 'a' }],
  ['shell', 'other', { path: 'a' }],
  ['shell', 'think', { path: 'a' }],
  ['shell', 'READ', { path: 'a' }],
  ['shell', 'switch_mode', {}],
  // no path
  ['shell', 'read', {}],
  ['shell', 'read', null],
  ['shell', 'read', { path: '' }],
  ['shell', 'read', { path: null }],
  ['shell', 'read', { thing: 'a' }],
  ['shell', 'search', {}],
  ['shell', 'search', { pattern: 'x' }],
  ['shell', 'edit', { content: 'x' }],
  ['shell', 'move', { source: 'a' }],
  ['shell', 'fetch', {}],
  ['shell', 'fetch', { prompt: 'x' }],
  // a path that is not one, or not the one
  ['shell', 'read', { path: 5 }],
  ['shell', 'read', { path: 'a', file: true }],
  ['shell', 'read', { path: 'src/*.ts' }],
  ['shell', 'read', { path: '{a,/etc/passwd}' }],
  ['shell', 'read', { path: '$HOME/x' }],
  ['shell', 'read', { path: 'a/${X}' }],
  ['shell', 'read', { path: 'a/$(x)' }],
  ['shell', 'read', { path: '`x`' }],
  ['shell', 'read', { path: '~root/x' }],
  ['shell', 'read', { path: 'a\nb' }],
  ['shell', 'read', { path: 'a\0' }],
  ['shell', 'read', { uri: 'file://host/a' }],
  ['shell', 'read', { uri: 'vscode-remote://x/etc/passwd' }],
  ['shell', 'read', { uri: 'https://example.org' }],
  ['shell', 'read', { url: 'http://127.0.0.1/' }, at('/w/a')],
  ['shell', 'edit', {}, diff('a?')],
  ['shell', 'read', {}, at('')],
  ['shell', 'search', { path: 'src', glob: '/etc/**' }],
  ['shell', 'search', { path: 'src', include: '../*' }],
  ['shell', 'read', { path: 'a', cwd: '/etc' }],
  ['shell', 'read', { path: 'a', working_directory: '/etc' }],
  ['shell', 'read', { file_path: 'a', root: '/' }],
  ['shell', 'read', { a: { b: { c: { d: { e: { path: '/etc' } } } } }, path: 'a' }],
  ['shell', 'read', { paths: Array.from({ length: 101 }, (_, n) => `a${n}`) }],
  ['shell', 'read', { paths: Array.from({ length: 2_000 }, () => 'a') }],
  ['shell', 'fetch', { url: 'file:///etc/passwd' }],
  ['shell', 'fetch', { url: 'ftp://example.org' }],
  ['shell', 'fetch', { url: 'https://example.org', output: '/etc/x' }],
  ['shell', 'fetch', { url: 'https://example.org', path: 'a' }],
  // more than its kind says
  ['shell', 'read', { path: 'a', command: 'ls' }],
  ['shell', 'read', { path: 'a', Command: 'ls' }],
  ['shell', 'read', { path: 'a', params: { cmd: ['ls'] } }],
  ['shell', 'edit', { path: 'a', script: 'ls' }],
  ['shell', 'read', { path: 'a' }, diff('a')],
  ['shell', 'fetch', { url: 'https://example.org' }, diff('a')],
  ['shell', 'read', { path: 'a' }, { content: [{ type: 'terminal' }] }],
]

for (const [permission, kind, rawInput, more] of ROWS) {
  test(`a rule is about what happens: an agent's ${kind} of ${JSON.stringify({ rawInput, ...more }).slice(0, 90)} is judged as ${permission}`, () => {
    assert.equal(claimOf({ toolCallId: 'c', kind, rawInput, ...more }, 'x').permission, permission)
  })
}

const PATHS: [input: Json, ...paths: string[]][] = [
  [{ file_path: 'a', backup: '/etc/x' }, 'a', '/etc/x'],
  [{ file_path: 'a', to: '../b' }, 'a', '../b'],
  [{ file_path: 'a', nested: [{ target: '~/b' }] }, 'a', '~/b'],
  [{ file_path: 'a', content: '/etc/x', new_str: '../b' }, 'a'],
  [{ notebookPath: 'a', outputFile: 'b' }, 'a', 'b'],
  [{ file_path: 'a', origin: 'file:///etc/x' }, 'a', '/etc/x'],
]
for (const [rawInput, ...paths] of PATHS) {
  test(`a rule is about what happens: every path in ${JSON.stringify(rawInput)} of an agent is judged`, () => {
    assert.deepEqual(claimOf({ toolCallId: 'c', kind: 'edit', rawInput }, 'x').paths, paths)
  })
}
