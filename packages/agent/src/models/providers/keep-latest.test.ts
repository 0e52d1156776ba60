import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepLatest } from './keep-latest.ts'

test('makes a value once, and forgets the one that was not used for longest', () => {
  const made: string[] = []
  const get = keepLatest((name: string) => made.push(name), 2)
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) get(name)
  assert.deepEqual(made, ['a', 'b', 'c', 'b'])
})
