import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, LIMITS, isAppError } from '@qmtcode/protocol'
import type { ModelPart, ModelRequest, Models } from '@qmtcode/protocol'
import { createResumableCalls } from './resumable-calls.ts'

/** Models that answer with one part and are silent then. */
function silentModels(): Models & { running: number } {
  const models = {
    running: 0,
    offers: () => Promise.resolve([]),
    async *stream(_request: ModelRequest, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<ModelPart> {
      models.running += 1
      try {
        yield { type: 'text-delta', id: '1', delta: 'a' }
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
      } finally {
        models.running -= 1
      }
    },
  }
  return models
}

const requestOf = (callId: string, text = 'hi'): ModelRequest => ({
  model: 'p/m',
  callId,
  options: { prompt: [{ role: 'user', content: [{ type: 'text', text }] }] },
})

/** Begins a call and loses the link after its first part. */
async function abandoned(models: Models, request: ModelRequest): Promise<void> {
  const link = new AbortController()
  const parts = models.stream(request, { signal: link.signal })[Symbol.asyncIterator]()
  await parts.next()
  link.abort(new AppError('link_lost', 'gone'))
}

test('a call is its own caller’s: no other resumes it, or ends it', async () => {
  using calls = createResumableCalls({ graceMs: 60_000 })
  const models = silentModels()
  const [own, other] = ['own', 'other'].map((peerId) => calls.forCaller({ peerId, isAllowed: () => true }, models))
  assert.ok(own?.resume && other?.resume && other.leave)
  await abandoned(own, requestOf('call-1'))
  assert.throws(
    () => other.resume?.({ callId: 'call-1', after: 0 }),
    (error) => isAppError(error, 'not_found'),
  )
  await other.leave('call-1')
  for await (const part of own.resume({ callId: 'call-1', after: 0 })) {
    if (part.type === 'ping') continue
    assert.deepEqual(part, { type: 'text-delta', id: '1', delta: 'a' })
    break
  }
})

test('what abandoned calls were asked with is bounded too: the oldest end', async () => {
  using calls = createResumableCalls({ graceMs: 60_000 })
  const models = silentModels()
  const own = calls.forCaller({ peerId: 'own', isAllowed: () => true }, models)
  const text = 'x'.repeat(LIMITS.peerInFlightBytes / 4)
  for (let at = 0; at < 10; at += 1) await abandoned(own, requestOf(`call-${at}`, text))
  await new Promise(setImmediate)
  assert.equal(models.running, 3)
})
