import assert from 'node:assert/strict'
import test from 'node:test'
import { AppError } from '@qmtcode/protocol'
import type { ErrorCode, ErrorDetails } from '@qmtcode/protocol'
import { createTurnKit, says } from './turn-kit.ts'
import type { ScriptStep } from './turn-kit.ts'

const DELAYS = [1, 2, 3]

/** A call that fails before anything of its answer came, or after a word. */
const fails = (code: ErrorCode, details?: ErrorDetails, after?: string): ScriptStep =>
  async function* () {
    yield { type: 'stream-start', warnings: [] }
    yield { type: 'ping' }
    if (after !== undefined) yield { type: 'text-delta', id: '1', delta: after }
    throw new AppError(code, 'it failed', { details })
  }

const PASSES: [title: string, code: ErrorCode, details: ErrorDetails][] = [
  ...[408, 425, 500, 502, 503, 504, 520, 522, 524, 529].map((status): [string, ErrorCode, ErrorDetails] => [
    `status ${status}`,
    'provider_error',
    { status },
  ]),
  ['429', 'rate_limited', { status: 429 }],
  ['429 with a wait', 'rate_limited', { status: 429, retryAfterMs: 5 }],
  ...['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET', 'EAI_AGAIN'].map((providerCode): [string, ErrorCode, ErrorDetails] => [
    providerCode,
    'provider_error',
    { providerCode },
  ]),
]
for (const [title, code, details] of PASSES) {
  test(`what passes by itself ends no turn: ${title}`, async () => {
    await using kit = await createTurnKit({ script: [fails(code, details), fails(code, details), says('here')], retryDelaysMs: DELAYS })
    assert.equal((await kit.run('go')).stopReason, 'completed')
    const shown = kit.live.flatMap((event) => (event.type === 'model.retry' ? [[event.attempt, event.of, event.code]] : []))
    assert.deepEqual(shown, [
      [1, 3, code],
      [2, 3, code],
    ])
  })
}

const LASTS: [title: string, code: ErrorCode, details?: ErrorDetails][] = [
  ['a bad request', 'provider_error', { status: 400 }],
  ['a refused key', 'provider_error', { status: 401 }],
  ['a model that is not there', 'model_unavailable', { status: 404 }],
  ['an empty account', 'rate_limited', { status: 429, providerCode: 'insufficient_quota' }],
  ['a wait of an hour', 'rate_limited', { status: 429, retryAfterMs: 3_600_000 }],
  ['a host that does not exist', 'provider_error', { providerCode: 'ENOTFOUND' }],
  ['silence', 'timeout'],
  ['a bad configuration', 'bad_config'],
]
for (const [title, code, details] of LASTS) {
  test(`what does not pass by itself is asked once: ${title}`, async () => {
    await using kit = await createTurnKit({ script: [fails(code, details), says('never')], retryDelaysMs: DELAYS })
    assert.equal((await kit.run('go')).stopReason, 'failed')
    assert.equal(kit.sent.length, 1)
  })
}

test('after a word of the answer there is no second one', async () => {
  await using kit = await createTurnKit({
    script: [fails('provider_error', { status: 503 }, 'a word'), says('never')],
    retryDelaysMs: DELAYS,
  })
  assert.equal((await kit.run('go')).stopReason, 'failed')
  assert.equal(kit.sent.length, 1)
})

test('tries end, and the last error is told', async () => {
  const script = Array.from({ length: 9 }, () => fails('provider_error', { status: 503 }))
  await using kit = await createTurnKit({ script, retryDelaysMs: DELAYS })
  const outcome = await kit.run('go')
  assert.deepEqual([outcome.stopReason, outcome.error?.details?.status, kit.sent.length], ['failed', 503, 4])
})

test('a wait ends with its turn', async () => {
  await using kit = await createTurnKit({ script: [fails('provider_error', { status: 503 }), says('never')], retryDelaysMs: [60_000] })
  const running = kit.run('go')
  while (!kit.live.some(({ type }) => type === 'model.retry')) await new Promise((resolve) => setImmediate(resolve))
  kit.controller.abort()
  assert.equal((await running).stopReason, 'cancelled')
})

test('a retry at a later step runs no tool twice', async () => {
  const call: ScriptStep = [
    { type: 'tool-call', toolCallId: 'c', toolName: 'shell', input: '{"command":"echo x >> once"}' },
    {
      type: 'finish',
      finishReason: { unified: 'tool-calls', raw: undefined },
      usage: {
        inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
        outputTokens: { total: 1, text: 1, reasoning: 0 },
      },
    },
  ]
  await using kit = await createTurnKit({ script: [call, fails('provider_error', { status: 502 }), says('done')], retryDelaysMs: DELAYS })
  assert.equal((await kit.run('go', { allow: ['shell'] })).stopReason, 'completed')
  assert.equal(kit.ended().length, 1)
})
