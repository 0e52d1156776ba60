import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import type { ModelPart } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { openCutRig } from './support/cut-rig.ts'
import type { CutRig } from './support/cut-rig.ts'

const FINISH = {
  type: 'finish',
  finishReason: { unified: 'stop', raw: 'stop' },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
} as unknown as ModelPart
const PARTS = 200
const WHOLE = Array.from({ length: PARTS }, (_, at) => `[${at}]`).join('')
const delta = (at: number, padding = ''): ModelPart => ({ type: 'text-delta', id: 't', delta: `[${at}]${padding}` })

/** Numbered parts, a breath between them, so that they leave in many frames. */
async function* numbered(): AsyncGenerator<ModelPart> {
  for (let at = 0; at < PARTS; at += 1) {
    yield delta(at)
    if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  yield FINISH
}

/** Parts that come when `gate` lets them; silent for ever when it never does. */
const gated = (gate: Promise<void>) =>
  async function* (signal: AbortSignal): AsyncGenerator<ModelPart> {
    yield delta(0)
    await Promise.race([gate, new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))])
    yield delta(1)
    yield FINISH
  }

async function textOf(parts: AsyncIterable<ModelPart>): Promise<string> {
  let text = ''
  for await (const part of parts) if (part.type === 'text-delta') text += part.delta
  return text
}

/** A call that has begun and whose link is cut: its text, which waits for the link. */
async function cutOff(rig: CutRig, signal?: AbortSignal): Promise<{ rest: Promise<string> }> {
  const parts = rig.ask(signal)
  assert.equal((await parts.next()).value?.type, 'text-delta')
  const rest = textOf(parts)
  rig.proxy.cut()
  await eventually('the loss is told', () => rig.told.length > 0)
  return { rest }
}

/** Of a known seed: the same places in each run. */
function placesOf(seed: number, count: number): number[] {
  let state = seed
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return 1 + (state % 9_000)
  })
}

for (const bytes of [1, 13, 40, ...placesOf(7, 9)]) {
  test(`a stream that is cut after ${bytes} bytes goes on: each part once, one call of the model`, async () => {
    await using rig = await openCutRig({ model: numbered })
    const cut = rig.proxy.cutAfter(bytes).then(() => rig.proxy.restore())
    assert.equal(await textOf(rig.ask()), WHOLE)
    assert.equal(rig.calls.length, 1)
    await cut
    assert.deepEqual(
      rig.told.map(({ type }) => type),
      ['link.lost', 'link.restored'],
    )
  })
}

test('a stream that is cut again and again still comes whole', async () => {
  await using rig = await openCutRig({ model: numbered })
  let cuts = 0
  // What is left travels in one frame: each time more of it may pass, so that some time it does.
  let isRead = false
  const cutting = async (): Promise<void> => {
    await rig.proxy.cutAfter(500 * 2 ** cuts)
    if (isRead) return
    cuts += 1
    rig.proxy.restore()
    await cutting()
  }
  const owner = cutting()
  assert.equal(await textOf(rig.ask()), WHOLE)
  isRead = true
  rig.proxy.disarm()
  await owner
  assert.ok(cuts >= 3, `${cuts} cuts`)
  assert.equal(rig.calls.length, 1)
})

test('the model goes on while the link is away, and the answer waits', async () => {
  const gate = Promise.withResolvers<void>()
  await using rig = await openCutRig({ model: gated(gate.promise) })
  const { rest } = await cutOff(rig)
  gate.resolve()
  assert.equal(await rig.calls[0]?.ended, undefined)
  rig.proxy.restore()
  assert.equal(await rest, '[1]')
})

test('when the grace is over the call fails and says how long it waited, and the host ends it', async () => {
  await using rig = await openCutRig({ model: gated(new Promise(() => {})), graceMs: 600 })
  const parts = rig.ask()
  await parts.next()
  const rest = textOf(parts)
  rig.proxy.cut()
  await assert.rejects(rest, (error) => isAppError(error, 'link_lost') && /0\.6 s/.test(error.message) && /host/.test(error.message))
  assert.ok(isAppError(await rig.calls[0]?.ended, 'link_lost'))
})

test('a cancel while the link is away ends the call at the host as soon as it is back', async () => {
  await using rig = await openCutRig({ model: gated(new Promise(() => {})) })
  const controller = new AbortController()
  const { rest } = await cutOff(rig, controller.signal)
  controller.abort()
  await assert.rejects(rest, (error) => isAppError(error, 'cancelled'))
  rig.proxy.restore()
  assert.ok(isAppError(await rig.calls[0]?.ended, 'cancelled'))
})

test('a host that restarted does not have the call: link_lost at once, with the reason', async () => {
  await using rig = await openCutRig({ model: gated(new Promise(() => {})) })
  const parts = rig.ask()
  await parts.next()
  const rest = textOf(parts)
  rig.proxy.cut()
  rig.restartHost()
  rig.proxy.restore()
  await assert.rejects(rest, (error) => isAppError(error, 'link_lost') && /restarted/.test(error.message))
  assert.equal(rig.calls.length, 1)
})

test('a caller that is banned while it is away loses its calls within a second', async () => {
  await using rig = await openCutRig({ model: gated(new Promise(() => {})) })
  const controller = new AbortController()
  const { rest } = await cutOff(rig, controller.signal)
  rig.ban()
  assert.ok(isAppError(await rig.calls[0]?.ended, 'forbidden'))
  controller.abort()
  await assert.rejects(rest, { code: 'cancelled' })
})

test('a model that has more to say than is kept waits for its caller', async () => {
  let made = 0
  const padding = 'x'.repeat(65_536)
  async function* chatty(): AsyncGenerator<ModelPart> {
    for (; made < 400; made += 1) yield delta(made, padding)
    yield FINISH
  }
  await using rig = await openCutRig({ model: chatty })
  const parts = rig.ask()
  await parts.next()
  rig.proxy.cut()
  let before = 0
  await eventually('the model waits', async () => {
    before = made
    for (let turns = 0; turns < 100; turns += 1) await new Promise((resolve) => setImmediate(resolve)) // the link is cut: nothing else takes time
    return made > 50 && before === made
  })
  assert.ok(made * padding.length <= 8 * 1_048_576, `${made} parts were made`)
  rig.proxy.restore()
  let at = 1
  for await (const part of parts) {
    if (part.type !== 'text-delta') continue
    assert.ok(part.delta.startsWith(`[${at}]`))
    at += 1
  }
  assert.equal(at, 400)
})
