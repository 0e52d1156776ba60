import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { AppError, LIMITS, isAppError } from '@qmtcode/protocol'
import type { ErrorCode } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { overMemory, overSockets, rigHandlers, startRig } from './rpc-rig.ts'
import type { Connect } from './rpc-rig.ts'

const failsWith =
  (code: ErrorCode, message = /./) =>
  (error: unknown): boolean =>
    isAppError(error, code) && message.test(error.message)

const transports: [string, Connect][] = [
  ['memory', overMemory],
  ['sockets', overSockets],
]
for (const [name, over] of transports) {
  suite(`rpc over ${name}`, () => {
    test('carries plain values, dates, URLs, bytes and tags of the user', async () => {
      await using r = await startRig(over, rigHandlers())
      const value = {
        a: [1, 'é', null, true],
        at: new Date(5),
        url: new URL('http://a.b/c'),
        small: Buffer.from('hi'),
        tag: { $type: 'chunk', index: 9 },
      }
      const answer = (await r.rig.echo({ value })).value as typeof value
      assert.deepEqual({ ...answer, small: Buffer.from(answer.small) }, value)
    })

    test('carries large bytes and large text both ways, intact', async () => {
      await using r = await startRig(over, rigHandlers())
      const bytes = Uint8Array.from({ length: 1_500_000 }, (_, i) => i % 251)
      const answer = (await r.rig.echo({ value: { first: bytes, text: 'ß'.repeat(1_000_000), exact: new Uint8Array(131_072) } })).value
      const { first, text, exact } = answer as { first: Uint8Array; text: string; exact: Uint8Array }
      assert.equal(Buffer.compare(first, bytes), 0)
      assert.equal(text, 'ß'.repeat(1_000_000))
      assert.equal(exact.byteLength, 131_072)
    })

    test('streams items in order to a clean end, and uses the stream again', async () => {
      await using r = await startRig(over, rigHandlers())
      for (let round = 0; round < 5; round += 1) {
        let next = 0
        for await (const { n, tag } of r.rig.count({ to: 3_000, tag: 'x' })) {
          assert.equal(tag, 'x')
          assert.equal(n, next)
          next += 1
        }
        assert.equal(next, 3_000)
      }
      assert.equal(r.opened.length, 1)
      assert.equal(r.rpc.stats().idleStreams, 1)
    })

    test("the host's error reaches the caller as itself, after the items before it", async () => {
      const error = new AppError('rate_limited', 'slow down', { hint: 'wait', details: { status: 429, retryAfterMs: 1_500 } })
      await using r = await startRig(over, {
        ...rigHandlers(),
        fail: async () => {
          throw error
        },
      })
      await assert.rejects(r.rig.fail({ name: 'x' }), (got: unknown) => {
        assert.ok(isAppError(got, 'rate_limited'))
        assert.deepEqual([got.message, got.hint, got.details], [error.message, error.hint, error.details])
        return true
      })
      const seen: number[] = []
      await assert.rejects(
        async () => {
          for await (const { n } of r.rig.breaks({ after: 3 })) seen.push(n)
        },
        failsWith('internal', /broke/),
      )
      assert.deepEqual(seen, [0, 1, 2])
    })

    test("the caller's abort reaches the host's handler within 100 ms, and the stream lives on", async () => {
      const seen = { aborted: [] as unknown[], running: 0 }
      await using r = await startRig(over, rigHandlers(seen))
      for (const start of [
        (signal: AbortSignal) => r.rig.hang({}, { signal }),
        (signal: AbortSignal) => drain(r.rig.silent({}, { signal })),
      ]) {
        const took: number[] = []
        for (let round = 0; round < 5; round += 1) {
          const controller = new AbortController()
          const call = start(controller.signal)
          await eventually('the handler runs', () => seen.running === 1)
          const at = performance.now()
          controller.abort()
          await assert.rejects(call, failsWith('cancelled'))
          await eventually('the handler ended', () => seen.running === 0)
          took.push(performance.now() - at)
          await eventually('the stream is free', () => r.rpc.stats().idleStreams === 1)
        }
        assert.ok(Math.min(...took) < 100, `${took.join(', ')} ms`) // the best of them: the machine may be busy
      }
      assert.equal(seen.aborted.length, 10)
      assert.ok(seen.aborted.every((reason) => isAppError(reason, 'cancelled')))
      assert.equal(r.opened.length, 1)
    })

    test("an aborted signal's own AppError is what the caller hears", async () => {
      await using r = await startRig(over, rigHandlers())
      const reason = new AppError('timeout', 'idle for too long')
      await assert.rejects(r.rig.hang({}, { signal: AbortSignal.abort(reason) }), (error) => error === reason)
    })

    test('a consumer that leaves the loop cancels the call', async () => {
      const seen = { aborted: [] as unknown[], running: 0 }
      await using r = await startRig(over, rigHandlers(seen))
      for await (const { n } of r.rig.count({ to: 1e9, tag: 'x', pad: 100 })) if (n === 10) break
      await eventually('the handler ended', () => seen.running === 0 && seen.aborted.length === 1)
      await eventually('the stream is free', () => r.rpc.stats().idleStreams === 1)
    })

    test('a consumer that stands still holds its host to the credit', async () => {
      let produced = 0
      const handlers = rigHandlers()
      await using r = await startRig(over, {
        ...handlers,
        async *count({ tag }) {
          for (let n = 0; ; n += 1) {
            produced += 1
            yield { n, tag, pad: 'x'.repeat(1_000) }
          }
        },
      })
      const items = r.rig.count({ to: 0, tag: 'x' })[Symbol.asyncIterator]()
      await items.next()
      const fast = await r.rig.echo({ value: 1 }) // another call passes meanwhile
      assert.equal(fast.value, 1)
      await eventually('items are produced', () => produced > 50)
      const before = produced
      await r.rig.echo({ value: 1 })
      assert.ok(produced < 500, `${before}, ${produced} produced, for 256 KiB`)
      await items.return?.()
    })

    test('a stream that closes without an end is a lost link, never a clean end', async () => {
      const seen = { aborted: [] as unknown[], running: 0 }
      await using r = await startRig(over, rigHandlers(seen))
      const call = drain(r.rig.silent({}))
      await eventually('the handler runs', () => seen.running === 1)
      r.opened[0]?.close()
      await assert.rejects(call, failsWith('link_lost'))
      await eventually('the handler ended', () => seen.running === 0)
      assert.ok(isAppError(seen.aborted[0], 'link_lost'))
      assert.equal((await r.rig.echo({ value: 2 })).value, 2)
    })

    test('the host cuts a peer: the caller hears, the handler is aborted with the reason', async () => {
      const seen = { aborted: [] as unknown[], running: 0 }
      await using r = await startRig(over, rigHandlers(seen))
      const call = r.rig.hang({})
      await eventually('the handler runs', () => seen.running === 1)
      r.server.cut(new AppError('forbidden', 'banned'))
      await assert.rejects(call, failsWith('link_lost'))
      await eventually('the handler ended', () => seen.running === 0)
      assert.ok(isAppError(seen.aborted[0], 'forbidden'))
    })

    test('a unary call without an answer times out, and its handler is told', async () => {
      const seen = { aborted: [] as unknown[], running: 0 }
      await using r = await startRig(over, rigHandlers(seen))
      await assert.rejects(r.rig.hang({}, { timeoutMs: 30 }), failsWith('timeout', /\/qmt\/rig\/1 hang within 0.03 s/))
      await eventually('the handler ended', () => seen.aborted.length === 1)
    })

    test('input and output are parsed', async () => {
      await using r = await startRig(over, { ...rigHandlers(), size: async () => ({ bytes: 'many' }) as unknown as { bytes: number } })
      await assert.rejects(r.rig.fail({ name: 7 } as unknown as { name: string }), failsWith('bad_request', /name/))
      await assert.rejects(r.rig.size({ bytes: new Uint8Array(1) }), failsWith('unsupported', /bytes/))
      assert.equal((await r.rig.echo({ value: 3 })).value, 3)
    })

    test('what is larger than a call may be is refused before it leaves', async () => {
      await using r = await startRig(over, rigHandlers())
      const { bytesOut } = r.rpc.stats()
      await assert.rejects(r.rig.size({ bytes: new Uint8Array(LIMITS.callBytes) }), failsWith('too_large'))
      assert.equal(r.rpc.stats().bytesOut, bytesOut)
    })

    test('stop ends what is under way with its reason, is safe twice, and later calls throw it', async () => {
      const seen = { aborted: [] as unknown[], running: 0 }
      await using r = await startRig(over, rigHandlers(seen))
      const call = r.rig.hang({})
      await eventually('the handler runs', () => seen.running === 1)
      r.rpc.stop(new AppError('forbidden', 'no longer used'))
      r.rpc.stop()
      await assert.rejects(call, failsWith('forbidden'))
      await assert.rejects(r.rig.echo({ value: 1 }), failsWith('forbidden'))
      await eventually('nothing is left on the host', () => seen.running === 0 && r.server.stats().streams === 0)
      assert.deepEqual([r.rpc.stats().streams, r.rpc.stats().queuedCalls], [0, 0])
    })
  })
}

async function drain(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of items) count += 1
  return count
}
