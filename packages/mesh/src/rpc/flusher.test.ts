import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { createFlusher, flusherOf } from './flusher.ts'
import { memoryStreamPair } from './streams/memory.ts'

/** A connection whose clock the test holds, and what was written in which group. */
function rig() {
  const state = { now: 1_000 }
  const groups: string[][] = []
  const flusher = createFlusher({
    clock: { now: () => state.now, monotonic: () => state.now },
    cork(flush) {
      groups.push([])
      flush()
    },
  })
  const stream = (name: string) => ({ flush: () => groups.at(-1)?.push(name) })
  return { state, groups, flusher, stream }
}
const turn = async (): Promise<void> => new Promise(setImmediate)

test('a quiet connection writes at once; all that is dirty then goes together', async () => {
  const { groups, flusher, stream } = rig()
  const [a, b] = [stream('a'), stream('b')]
  flusher.soon(a)
  flusher.now(b)
  flusher.soon(a)
  assert.deepEqual(groups, [])
  await turn()
  assert.deepEqual(groups, [['a', 'b']])
})

test('items after a write wait for the 2 ms; a terminal frame takes them with it', async () => {
  const { groups, flusher, stream } = rig()
  const [a, b] = [stream('a'), stream('b')]
  flusher.now(a)
  await turn()
  flusher.soon(a) // the clock stands still: it must wait for the timer
  await turn()
  assert.equal(groups.length, 1)
  flusher.now(b)
  await turn()
  assert.deepEqual(groups.slice(1), [['a', 'b']])
  flusher.soon(a)
  assert.equal(groups.length, 2)
  await eventually('the timer takes them', () => groups.length > 2)
  assert.deepEqual(groups.slice(2), [['a']])
})

test('streams that share a cork share a flusher; others have their own', () => {
  const clock = { now: () => 0, monotonic: () => 0 }
  const [a, b] = memoryStreamPair()
  const cork = (flush: () => void): void => flush()
  assert.equal(flusherOf({ ...a, cork }, clock), flusherOf({ ...b, cork }, clock))
  assert.notEqual(flusherOf(a, clock), flusherOf(b, clock))
})
