import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContentBlock } from '@agentclientprotocol/sdk'
import { isAppError } from '@qmtcode/protocol'
import { promptContentOf } from './prompt-content.ts'

const local = { isLocal: true }
const link = { type: 'resource_link', uri: 'file:///work/a%20b.ts#L3', name: 'a b.ts' } as const

const cases: [string, ContentBlock, object][] = [
  ['text', { type: 'text', text: 'hello' }, { type: 'text', text: 'hello' }],
  ['an image', { type: 'image', mimeType: 'image/png', data: 'aGk=' }, { type: 'file', mediaType: 'image/png', data: 'aGk=' }],
  ['a link to a file', link, { type: 'text', text: '@/work/a b.ts' }],
  ['a link elsewhere', { ...link, uri: 'https://example.org/x' }, { type: 'text', text: '@https://example.org/x' }],
  [
    'an embedded text',
    { type: 'resource', resource: { uri: 'file:///a.txt', text: 'inside' } },
    { type: 'text', text: 'Content of @/a.txt:\ninside\n(end of @/a.txt)' },
  ],
  [
    'an embedded file',
    { type: 'resource', resource: { uri: 'file:///x/a.pdf', mimeType: 'application/pdf', blob: 'aGk=' } },
    { type: 'file', mediaType: 'application/pdf', data: 'aGk=', filename: 'a.pdf' },
  ],
]
for (const [name, block, part] of cases) {
  test(`${name} in a prompt`, () => assert.deepEqual(promptContentOf([block], local), [part]))
}

test("a link is no path on another machine's host", () => {
  assert.deepEqual(promptContentOf([link], { isLocal: false }), [{ type: 'text', text: '@file:///work/a%20b.ts#L3' }])
})

const refused: [string, ContentBlock[]][] = [
  ['nothing', []],
  ['white space', [{ type: 'text', text: ' \n' }]],
  ['audio', [{ type: 'audio', mimeType: 'audio/wav', data: 'aGk=' }]],
  ['an image that is no base64', [{ type: 'image', mimeType: 'image/png', data: 'no base64!' }]],
]
for (const [name, blocks] of refused) {
  test(`a prompt of ${name} is refused`, () => {
    assert.throws(
      () => promptContentOf(blocks, local),
      (error) => isAppError(error, 'bad_request'),
    )
  })
}
