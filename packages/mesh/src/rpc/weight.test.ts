import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS, isAppError } from '@qmtcode/protocol'
import { weightOf } from './weight.ts'

const weigh = (text: string): number => weightOf(Buffer.from(text))

test('text is light, however long and whatever is in it', () => {
  assert.equal(weigh(JSON.stringify('[,{'.repeat(100_000))), 64)
  assert.equal(weigh(JSON.stringify('\\"[,'.repeat(100_000))), 64)
  assert.equal(weigh(JSON.stringify({ a: '"'.repeat(100_000) })), 128)
})

test('lists, objects and members are counted; too many are refused', () => {
  assert.equal(weigh(JSON.stringify(Array.from({ length: 10_000 }, () => ({ a: 1, b: [] })))), 64 * (2 + 10_000 * 4 - 1))
  for (const piece of ['[],', '{},', '1,', '"",', '"a",', '{"a":[1]},']) {
    assert.throws(
      () => weigh(`[${piece.repeat(LIMITS.callValues + 1)}`),
      (error) => isAppError(error, 'too_large'),
      piece,
    )
  }
})
