import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineMeter, trafficOf } from './meter.ts'

test('a dead line that is given up does not make the one beside it, which is silent too, look alive', () => {
  const whole = { bytesIn: 0, bytesOut: 0 }
  const [older, newer] = [lineMeter(whole), lineMeter(whole)]
  let lines = 2
  older.bytesIn += 1_000
  const hasTraffic = trafficOf({ line: newer, whole, isAlone: () => lines === 1 })
  assert.equal(hasTraffic(), false)
  lines = 1
  assert.equal(hasTraffic(), false)
})

test('alone, a line is alive by what the peer calls here; beside others by its own bytes', () => {
  const whole = { bytesIn: 0, bytesOut: 0 }
  const line = lineMeter(whole)
  let isAlone = true
  const hasTraffic = trafficOf({ line, whole, isAlone: () => isAlone })
  whole.bytesIn += 10
  assert.equal(hasTraffic(), true)
  assert.equal(hasTraffic(), false)
  isAlone = false
  whole.bytesIn += 10
  assert.equal(hasTraffic(), false)
  line.bytesIn += 10
  assert.equal(hasTraffic(), true)
})
