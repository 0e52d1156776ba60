import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isoTime, notAhead, oneLine, statedCount, statedInstant, statedLine, statedMs } from './stated.ts'

const DAY_MS = 86_400_000

describe('what a peer states', () => {
  test('an instant is one that a Date holds, and at most a day ahead', () => {
    for (const bad of [-1, 8.64e15 + 1, 1e308, 2 ** 60, '1', null]) assert.equal(statedInstant().safeParse(bad).success, false, String(bad))
    assert.equal(statedInstant().parse(0), 0)
    for (const ahead of [8.64e15, Date.now() + 366 * DAY_MS]) {
      const taken = statedInstant().parse(ahead)
      assert.ok(taken > Date.now() + DAY_MS - 60_000 && taken <= Date.now() + DAY_MS, String(taken))
    }
    assert.equal(notAhead(10, 5), 10)
    assert.equal(notAhead(2 * DAY_MS, 5), DAY_MS + 5)
  })

  test('a count is whole and not below zero; a time to wait ends', () => {
    for (const bad of [-1, 0.5, 1e15, 2 ** 53]) assert.equal(statedCount().safeParse(bad).success, false, String(bad))
    assert.equal(statedMs().parse(1e308), 365 * DAY_MS)
  })

  test('a line has no character that a terminal obeys, that hides text, or that is half of one', () => {
    assert.equal(oneLine('a\u001b[31mb\nc\u202ed\u{e0041}e\ufeff\u0000'), 'a [31mb c d e  ')
    assert.equal(oneLine('half \ud83d'), 'half \ufffd')
    assert.equal(oneLine('Gruß 👋🏽 日本'), 'Gruß 👋🏽 日本')
    assert.equal(statedLine(3).safeParse('four').success, false)
  })

  test('any number can be shown as a date', () => {
    for (const at of [8.64e15 + 1, -1e308, Infinity, NaN]) assert.match(isoTime(at), /^[+-]?\d+-\d\d-\d\dT/)
  })
})
