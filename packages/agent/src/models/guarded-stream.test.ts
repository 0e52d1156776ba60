import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { AppError, toAppError } from '@qmtcode/protocol'
import type { ModelPart } from '@qmtcode/protocol'
import { guarded } from './guarded-stream.ts'
import type { GuardedSource } from './guarded-stream.ts'

const finish = (unified: 'stop' | 'interrupted' | 'error' = 'stop'): LanguageModelV4StreamPart => ({
  type: 'finish',
  finishReason: { unified, raw: undefined },
  usage: {
    inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 1, text: 1, reasoning: undefined },
    raw: { secret: 'account' },
  },
})
const delta: LanguageModelV4StreamPart = { type: 'text-delta', id: 't', delta: 'x' }
const ping: LanguageModelV4StreamPart = { type: 'ping' }

function sourceOf(parts: (signal: AbortSignal) => AsyncIterable<LanguageModelV4StreamPart>): GuardedSource {
  return { model: 'p/m', open: parts, toError: toAppError, endedEarly: () => new AppError('provider_error', 'ended early') }
}
const listed = (...parts: LanguageModelV4StreamPart[]): GuardedSource =>
  sourceOf(async function* () {
    yield* parts
  })

async function read(stream: AsyncIterable<ModelPart>): Promise<ModelPart[]> {
  const seen: ModelPart[] = []
  for await (const part of stream) seen.push(part)
  return seen
}

test('one finish, last, without the server’s own account of usage; raw parts and what follows are dropped', async () => {
  const metadata = { type: 'response-metadata', id: 'r', headers: { cookie: 'x' }, body: 'x' } as LanguageModelV4StreamPart
  const seen = await read(guarded(listed(metadata, delta, { type: 'raw', rawValue: 1 }, finish(), delta, finish())))
  assert.deepEqual(
    seen.map(({ type }) => type),
    ['response-metadata', 'text-delta', 'finish'],
  )
  assert.doesNotMatch(JSON.stringify(seen), /cookie|secret|body/)
})

test('no finish, an interrupted one, an error part: each throws', async () => {
  await assert.rejects(read(guarded(listed(delta))), { message: 'ended early' })
  await assert.rejects(read(guarded(listed(delta, finish('interrupted')))), { message: 'ended early' })
  await assert.rejects(read(guarded(listed(delta, finish('error')))), { code: 'provider_error' })
  await assert.rejects(read(guarded(listed({ type: 'error', error: new AppError('rate_limited', 'slow') }, finish()))), {
    code: 'rate_limited',
  })
})

test('pings are no tokens', async () => {
  const source = sourceOf(async function* (signal) {
    while (!signal.aborted) {
      yield ping
      await sleep(5)
    }
  })
  await assert.rejects(read(guarded(source, { firstTokenMs: 40 })), { code: 'timeout' })
})

test('a slow reader is not the model’s silence', async () => {
  const seen: string[] = []
  for await (const part of guarded(listed(delta, ping, delta, finish()), { firstTokenMs: 20, idleMs: 20 })) {
    seen.push(part.type)
    await sleep(50)
  }
  assert.deepEqual(seen, ['text-delta', 'ping', 'text-delta', 'finish'])
})

test('a source that ignores the abort does not hold the caller', async () => {
  const controller = new AbortController()
  const source = sourceOf(async function* () {
    yield delta
    await new Promise<never>(() => {})
  })
  const stream = guarded(source, { signal: controller.signal })
  await stream.next()
  const pending = stream.next()
  controller.abort()
  await assert.rejects(pending, { code: 'cancelled' })
})

test('an aborted signal does not call the model at all', async () => {
  let opened = false
  const source = sourceOf(async function* (signal) {
    signal.throwIfAborted()
    opened = true
    yield delta
  })
  await assert.rejects(read(guarded(source, { signal: AbortSignal.abort() })), { code: 'cancelled' })
  assert.equal(opened, false)
})

test('a source that never closes after its finish is let go', async () => {
  let signal: AbortSignal | undefined
  const source = sourceOf(async function* (ended) {
    signal = ended
    yield finish()
    await new Promise<never>(() => {})
  })
  assert.equal((await read(guarded(source))).length, 1)
  assert.equal(signal?.aborted, true)
})
