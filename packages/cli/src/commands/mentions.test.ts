import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mentionsIn } from './mentions.ts'

test('a name after @ that begins a word is a file, with quotes where it has blanks', () => {
  assert.deepEqual(mentionsIn('compare @src/a.ts with @"a b.txt", @src/a.ts'), ['src/a.ts', 'a b.txt'])
  assert.deepEqual(mentionsIn('write to me@example.org @ once'), [])
})
