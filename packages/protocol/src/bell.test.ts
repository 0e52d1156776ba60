import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { createBell } from './bell.ts'

test('a ring wakes all who wait, and nobody who comes later', async () => {
  const bell = createBell()
  const early = [bell.heard(), bell.heard()]
  bell.ring()
  await Promise.all(early)
  const late = await Promise.race([bell.heard().then(() => 'heard'), Promise.resolve('waits')])
  assert.equal(late, 'waits')
})

test('a wait ends with its time or its signal, and leaves no listener', async () => {
  const bell = createBell()
  await bell.heard({ timeoutMs: 1 })
  const { signal, abort } = withAbort()
  const waits = [bell.heard({ signal }), bell.heard({ signal, timeoutMs: 60_000 })]
  assert.equal(getEventListeners(signal, 'abort').length, 2)
  abort()
  await Promise.all([...waits, bell.heard({ signal })])
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

function withAbort(): { signal: AbortSignal; abort(): void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}
