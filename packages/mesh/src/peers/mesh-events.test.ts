import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MeshEvent, PeerId } from '@qmtcode/protocol'
import { createMeshEvents } from './mesh-events.ts'

const event = (at: number): MeshEvent => ({ type: 'peer.changed', at, peerId: 'p' as PeerId, name: 'n' })

async function times(events: AsyncIterable<MeshEvent>): Promise<number[]> {
  const seen: number[] = []
  for await (const { at } of events) seen.push(at)
  return seen
}

test('each follower gets what happens after it began, until its signal or the end', async () => {
  const events = createMeshEvents()
  events.emit(event(1))
  const controller = new AbortController()
  const all = times(events.follow())
  const some = times(events.follow({ signal: controller.signal }))
  events.emit(event(2))
  await new Promise(setImmediate)
  controller.abort()
  assert.deepEqual(await some, [2])
  events.emit(event(3))
  await new Promise(setImmediate)
  events.stop()
  assert.deepEqual(await all, [2, 3])
  assert.deepEqual(await times(events.follow()), [])
})

test('a follower that does not read keeps the latest thousand', async () => {
  const events = createMeshEvents()
  const followed = events.follow()[Symbol.asyncIterator]()
  for (let i = 0; i < 1_500; i += 1) events.emit(event(i))
  assert.equal((await followed.next()).value?.at, 500)
  await followed.return?.()
})
