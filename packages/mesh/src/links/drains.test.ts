import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@qmtcode/protocol'
import { createDrains } from './drains.ts'
import { newLink } from './link.ts'
import type { Line } from './link.ts'

interface Calls {
  streaming: number
  /** Calls with one answer, of this end and of the other. */
  awaited: number
  owed: number
}

const lineWith = ({ streaming, awaited }: Calls): Line =>
  ({
    connection: {},
    isSilent: false,
    rpc: { stats: () => ({ callsInFlight: streaming + awaited }), answersAwaited: () => awaited },
  }) as unknown as Line

/** Seconds until a spare line beside a good one is closed, with these calls on it. */
function secondsUntilClosed(t: TestContext, self: string, calls: Partial<Calls>): number | undefined {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const full = { streaming: 0, awaited: 0, owed: 0, ...calls }
  const closed: Connection[] = []
  const drains = createDrains({ answersOwed: () => full.owed, close: (connection) => closed.push(connection) }, { self: self as PeerId })
  const [best, spare] = [lineWith({ streaming: 0, awaited: 0, owed: 0 }), lineWith(full)]
  drains.look({ ...newLink('m' as PeerId), lines: [best, spare] })
  let seconds: number | undefined
  for (let second = 1; second <= 70 && seconds === undefined; second += 1) {
    t.mock.timers.tick(1_000)
    if (closed.length > 0) seconds = second
  }
  assert.ok(closed.every((connection) => connection === spare.connection))
  for (const line of [best, spare]) drains.leave(line)
  t.mock.timers.reset()
  return seconds
}

test('a line beside a better one is closed when its calls have ended: streams have six seconds, a call with one answer a minute', (t) => {
  assert.equal(secondsUntilClosed(t, 'a', {}), 3)
  assert.equal(secondsUntilClosed(t, 'a', { streaming: 1 }), 6)
  assert.equal(secondsUntilClosed(t, 'a', { awaited: 1 }), 60)
  assert.equal(secondsUntilClosed(t, 'a', { owed: 1 }), 60, 'of the other end too')
})

test('of two ends the one with the smaller id closes, the other one only what is left after a minute', (t) => {
  assert.equal(secondsUntilClosed(t, 'a', {}), 3)
  assert.equal(secondsUntilClosed(t, 'z', {}), 60)
})

test('nothing is given up for a line that does not answer', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const closed: Connection[] = []
  const drains = createDrains({ answersOwed: () => 0, close: (connection) => closed.push(connection) }, { self: 'a' as PeerId })
  const [best, spare] = [lineWith({ streaming: 0, awaited: 0, owed: 0 }), lineWith({ streaming: 0, awaited: 0, owed: 0 })]
  best.isSilent = true
  drains.look({ ...newLink('m' as PeerId), lines: [best, spare] })
  t.mock.timers.tick(70_000)
  assert.equal(closed.length, 0)
})
