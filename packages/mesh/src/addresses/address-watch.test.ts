import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { createAddressWatch } from './address-watch.ts'
import type { AddressMove } from './address-watch.ts'

test('a move is told with what went and what came; dials of before are abandoned only when an address went', async () => {
  const moves: AddressMove[] = []
  let now = ['127.0.0.1', '10.0.0.2']
  const watch = createAddressWatch({ addresses: () => now, onMove: (move) => moves.push(move) })
  watch.start()
  const before = watch.untilGone()
  now = [...now, '10.8.0.1']
  await eventually('one came', () => moves.length === 1)
  assert.equal(before.aborted, false)
  now = ['127.0.0.1', '10.8.0.1', '192.168.1.7']
  await eventually('one went, another came', () => moves.length === 2)
  assert.deepEqual(moves, [
    { gone: [], come: ['10.8.0.1'] },
    { gone: ['10.0.0.2'], come: ['192.168.1.7'] },
  ])
  assert.equal(before.aborted, true)
  assert.equal(watch.untilGone().aborted, false, 'a dial from now on goes on')
  watch.stop()
})
