import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ModelPart } from '@qmtcode/protocol'
import { withPings } from './pings.ts'

const delta: ModelPart = { type: 'text-delta', id: 't', delta: 'x' }
const ping: ModelPart = { type: 'ping' }
const times = { firstMs: 1, everyMs: 1 }

/** A source whose one part or error comes when a test says so. */
function sourceOnDemand() {
  const said = Promise.withResolvers<ModelPart>()
  let isLeft = false
  async function* parts(): AsyncGenerator<ModelPart> {
    try {
      yield await said.promise
    } finally {
      isLeft = true
    }
  }
  return { parts: parts(), say: said.resolve, fail: said.reject, isLeft: () => isLeft }
}

test('a part that comes between a ping and the next read is the next read’s, and then comes the end', async () => {
  const { parts, say } = sourceOnDemand()
  const pinged = withPings(parts, times)
  assert.deepEqual((await pinged.next()).value, ping)
  say(delta)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual((await pinged.next()).value, delta)
  assert.deepEqual([(await pinged.next()).done, (await pinged.next()).done], [true, true])
})

test('so is an error, once', async () => {
  const { parts, fail } = sourceOnDemand()
  const pinged = withPings(parts, times)
  assert.deepEqual((await pinged.next()).value, ping)
  fail(new Error('gone'))
  await new Promise((resolve) => setImmediate(resolve))
  await assert.rejects(pinged.next(), /gone/)
  assert.equal((await pinged.next()).done, true)
})

test('pings go on for as long as it is silent; a reader that leaves releases the source', async () => {
  const { parts, say, isLeft } = sourceOnDemand()
  const pinged = withPings(parts, times)
  for (let count = 0; count < 3; count += 1) assert.deepEqual((await pinged.next()).value, ping)
  await pinged.return?.()
  say(delta)
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(isLeft())
  assert.equal((await pinged.next()).done, true)
})
