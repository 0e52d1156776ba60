import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, isAppError } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { createRpcClient } from './client.ts'
import { overMemory, overSockets, rigContract, rigHandlers, startRig } from './rpc-rig.ts'
import { createRpcServer } from './server.ts'
import { memoryStreamPair } from './streams/memory.ts'
import type { ByteStream } from './types.ts'

test('never opens more streams than allowed; further calls wait their turn', async () => {
  await using r = await startRig(overSockets, rigHandlers(), { maxStreams: 4 })
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => (await r.rig.echo({ value: i })).value))
  assert.deepEqual(
    answers,
    Array.from({ length: 200 }, (_, i) => i),
  )
  assert.ok(r.opened.length <= 4)
})

test('a full queue answers busy at once', async () => {
  await using r = await startRig(overMemory, rigHandlers(), { maxStreams: 1, maxQueued: 2 })
  const controller = new AbortController()
  const hang = async (): Promise<unknown> => await r.rig.hang({}, { signal: controller.signal })
  const hanging = [hang()]
  await eventually('one runs', () => r.opened.length === 1 && r.rpc.stats().queuedCalls === 0)
  hanging.push(hang(), hang())
  await eventually('two wait', () => r.rpc.stats().queuedCalls === 2)
  await assert.rejects(r.rig.echo({ value: 1 }), (error) => isAppError(error, 'busy'))
  controller.abort()
  for (const each of hanging) await assert.rejects(each, { code: 'cancelled' })
  assert.equal(r.rpc.stats().queuedCalls, 0)
  assert.equal((await r.rig.echo({ value: 4 })).value, 4)
})

test('keeps no more idle streams than told after a burst', async () => {
  await using r = await startRig(overMemory, rigHandlers(), { maxIdle: 3 })
  await Promise.all(Array.from({ length: 50 }, async () => r.rig.echo({ value: 1 })))
  await eventually('the others are closed', () => r.rpc.stats().streams <= 3 && r.server.stats().streams <= 3)
})

test('warm opens ahead of use', async () => {
  await using r = await startRig(overMemory, rigHandlers())
  await r.rpc.warm(rigContract, 3)
  await r.rpc.warm(rigContract, 3)
  assert.deepEqual([r.rpc.stats().streams, r.rpc.stats().idleStreams], [3, 3])
  await r.rig.echo({ value: 1 })
  assert.equal(r.opened.length, 3)
})

test('an idle stream that died is not used', async () => {
  await using r = await startRig(overSockets, rigHandlers())
  await r.rig.echo({ value: 1 })
  r.opened[0]?.reset(new Error('gone'))
  await eventually('the pool knows', () => r.rpc.stats().streams === 0)
  assert.equal((await r.rig.echo({ value: 2 })).value, 2)
  assert.equal(r.opened.length, 2)
})

test('a call of which nothing was sent is tried on another stream; one that may have arrived is not', async () => {
  const server = createRpcServer()
  let calls = 0
  const handlers = { ...rigHandlers(), echo: async ({ value }: { value?: unknown }) => ({ value: [value, (calls += 1)] }) }
  let opened = 0
  /** The first stream ends before it takes a byte; the second takes the call and ends. */
  const open = async (): Promise<ByteStream> => {
    opened += 1
    const [ours, theirs] = memoryStreamPair()
    if (opened !== 2) server.accept(theirs, { contract: rigContract, handlers }, {})
    if (opened === 1) ours.reset(new Error('gone'))
    if (opened === 2) theirs.onData(() => theirs.reset(new Error('gone')))
    // A transport that never takes a byte, until it is known to be gone.
    return opened === 1 ? { ...ours, send: () => assert.fail('nothing may be sent'), cork: () => {} } : ours
  }
  const rpc = createRpcClient({ open })
  await assert.rejects(rpc.client(rigContract).echo({ value: 1 }), (error) => isAppError(error, 'link_lost'))
  assert.equal(opened, 2)
  assert.equal(calls, 0)
  assert.deepEqual((await rpc.client(rigContract).echo({ value: 2 })).value, [2, 1])
  rpc.stop()
  server.stop()
})

test('an opening that fails fails its call, as peer_unreachable or as itself', async () => {
  const failures: Error[] = [new Error('ECONNREFUSED'), new AppError('forbidden', 'banned')]
  const rpc = createRpcClient({ open: async () => Promise.reject(failures.shift() ?? new Error('?')) })
  await assert.rejects(
    rpc.client(rigContract).echo({ value: 1 }),
    (error) => isAppError(error, 'peer_unreachable') && /ECONNREFUSED/.test(error.message),
  )
  await assert.rejects(rpc.client(rigContract).echo({ value: 1 }), (error) => isAppError(error, 'forbidden'))
  rpc.stop()
})

test('a call that is given up while it waits for a stream leaves nothing', async () => {
  const rpc = createRpcClient({
    open: async (_id, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  })
  await assert.rejects(rpc.client(rigContract).echo({ value: 1 }, { timeoutMs: 20 }), (error) => isAppError(error, 'timeout'))
  assert.equal(rpc.stats().queuedCalls, 0)
  rpc.stop()
})
