import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { HELLO } from '../testing/stranger.ts'
import { askHello } from './exchange.ts'

test('a stream that the other side closed already fails the exchange, and nothing else', async (t) => {
  const unowned: unknown[] = []
  const note = (error: unknown): unknown => unowned.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const closed = Object.assign(new EventTarget(), {
    status: 'closed',
    abort: () => {},
    send: () => {
      throw new Error('the stream is closed')
    },
  })
  await assert.rejects(askHello(closed as unknown as Stream, HELLO, 1_000), /the stream is closed/)
  await new Promise(setImmediate)
  assert.deepEqual(unowned, [])
})
