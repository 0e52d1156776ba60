import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import type { AppError, ModelCallOptions, ModelPart, ModelRequest, Models } from '@qmtcode/protocol'
import type { Answer, ChatBody, Script } from './scripted-llm/script.ts'
import type { ScriptedLlm } from './scripted-llm/scripted-llm.ts'

/** Models whose `model` is answered by `server`, however far away that is. */
export interface ModelsFixture extends AsyncDisposable {
  models: Models
  /** `provider/model`. */
  model: string
  server: ScriptedLlm
}

/** Timeouts of the guard that is nearest to the model's server. */
export interface ModelsSetup {
  firstTokenMs?: number
  idleMs?: number
}

export type MakeModels = (script: Script, setup: ModelsSetup) => Promise<ModelsFixture>

const ABORT_SEEN_MS = 100
const ABORT_TRIES = 5
const BIG_FILE_BYTES = 200_000

/** What every implementation of the Models port does alike: call it at the top of a test file. */
export function modelsCompliance(name: string, makeModels: MakeModels): void {
  const check: Check = (title, script, body, setup = {}) => {
    // oxlint-disable-next-line typescript/no-floating-promises -- node:test owns it
    test(`models (${name}): ${title}`, { timeout: 60_000 }, async () => {
      await using fixture = await makeModels(script, setup)
      await body(fixture)
    })
  }
  const fails: Fails = (title, answer, expected, setup) =>
    check(title, [answer], async (fixture) => expected(await failureOf(fixture)), setup)

  answers(check)
  failures(fails)
  endings(check, fails)
}

type Check = (title: string, script: Script, body: (fixture: ModelsFixture) => Promise<void>, setup?: ModelsSetup) => void
type Fails = (title: string, answer: Answer, expected: (error: AppError) => void, setup?: ModelsSetup) => void

function answers(check: Check): void {
  check('streams text and ends with one finish', [[{ text: ['Hel', 'lo'] }]], async (fixture) => {
    const parts = await collect(fixture)
    assert.equal(textOf(parts, 'text-delta'), 'Hello')
    assert.equal(parts.at(-1)?.type, 'finish')
    assert.equal(parts.filter(({ type }) => type === 'finish').length, 1)
    assert.deepEqual(finishOf(parts).finishReason.unified, 'stop')
  })

  check('streams reasoning apart from text', [[{ reasoning: ['let me', ' see'] }, { text: 'yes' }]], async (fixture) => {
    const parts = await collect(fixture)
    assert.equal(textOf(parts, 'reasoning-delta'), 'let me see')
    assert.equal(textOf(parts, 'text-delta'), 'yes')
  })

  const input = { path: 'a "quoted" näme.txt', lines: [1, 2, 3] }
  check(
    'offers tools and gives back whole calls',
    [
      [
        { tool: 'read_file', input, id: 'call_a' },
        { tool: 'shell', input: {} },
      ],
    ],
    async (fixture) => {
      const inputSchema = { type: 'object' as const, properties: { path: { type: 'string' as const } } }
      const parts = await collect(fixture, { tools: [{ type: 'function', name: 'read_file', description: 'reads', inputSchema }] })
      const calls = parts.filter((part) => part.type === 'tool-call')
      assert.deepEqual(
        calls.map(({ toolName }) => toolName),
        ['read_file', 'shell'],
      )
      assert.equal(calls[0]?.toolCallId, 'call_a')
      assert.deepEqual(JSON.parse(calls[0]?.input ?? ''), input)
      assert.equal(finishOf(parts).finishReason.unified, 'tool-calls')
      const { body } = await fixture.server.request(0)
      assert.match(JSON.stringify(body.tools), /"read_file".*"path"/)
    },
  )

  check('tells the usage', [[{ text: 'x' }, { usage: { input: 100, output: 20, cached: 60, reasoning: 7 } }]], async (fixture) => {
    const { usage } = finishOf(await collect(fixture))
    assert.equal(usage.inputTokens.total, 100)
    assert.equal(usage.inputTokens.cacheRead, 60)
    assert.equal(usage.outputTokens.total, 20)
    assert.equal(usage.outputTokens.reasoning, 7)
  })

  check('brings a file to the model byte by byte', ['seen'], async (fixture) => {
    const data = pattern(BIG_FILE_BYTES)
    const file = { type: 'file' as const, mediaType: 'image/png', data: { type: 'data' as const, data } }
    await collect(fixture, { prompt: [{ role: 'user', content: [{ type: 'text', text: 'look' }, file] }] })
    const { body } = await fixture.server.request(0)
    assert.ok(imageOf(body).equals(data), 'the bytes differ')
  })

  check('lists the model', ['unused'], async ({ models, model }) => {
    assert.ok((await models.offers()).some(({ id }) => id === model || id.endsWith('/*')))
  })
}

function failures(fails: Fails): void {
  fails('429 is rate_limited, with the time to wait', [{ fault: { status: 429, retryAfter: '7', code: 'slow_down' } }], (error) => {
    assert.equal(error.code, 'rate_limited')
    assert.deepEqual(error.details, { status: 429, providerCode: 'slow_down', retryAfterMs: 7_000 })
  })
  fails(
    '401 is a provider_error with its status',
    [{ fault: { status: 401, message: 'Incorrect API key provided: sk-abcdefghijklmnop' } }],
    (error) => {
      assert.equal(error.code, 'provider_error')
      assert.equal(error.details?.status, 401)
      assert.doesNotMatch(error.message, /abcdefghij/)
    },
  )
  fails('404 is model_unavailable', [{ fault: { status: 404, message: 'model not found' } }], (error) =>
    assert.equal(error.code, 'model_unavailable'),
  )
  fails('500 is a provider_error, with a short message', [{ fault: { status: 500, message: 'boom '.repeat(1_000) } }], (error) => {
    assert.equal(error.code, 'provider_error')
    assert.equal(error.details?.status, 500)
    assert.ok(error.message.length <= 500, `${error.message.length} characters`)
  })
  fails('a web page is a provider_error that says so', [{ fault: 'html' }], (error) => {
    assert.equal(error.code, 'provider_error')
    assert.match(error.message, /web page/)
  })
  fails('garbage is a provider_error', [{ text: 'x' }, { fault: 'garbage' }], (error) => assert.equal(error.code, 'provider_error'))
}

function endings(check: Check, fails: Fails): void {
  for (const fault of ['half', 'cut'] as const) {
    fails(`an early end (${fault}) is a provider_error, never a finish`, [{ text: ['a', 'b'] }, { fault }], (error) => {
      assert.equal(error.code, 'provider_error')
      assert.match(error.message, /ended early/)
    })
  }
  const isTimeout = (error: AppError): void => assert.equal(error.code, 'timeout')
  fails('a model that never begins times out', [{ fault: 'hang' }], isTimeout, { firstTokenMs: 60 })
  fails('a model that falls silent times out', [{ text: 'a' }, { fault: 'hang' }], isTimeout, { idleMs: 60 })

  check(
    'a timeout ends the call at the server',
    [[{ text: 'a' }, { fault: 'hang' }]],
    async (fixture) => {
      await failureOf(fixture)
      await (
        await fixture.server.request(0)
      ).aborted
    },
    { idleMs: 60 },
  )

  const hanging: Answer = [{ text: 'a' }, { fault: 'hang' }]
  check(
    'an abort is cancelled here, and seen by the server within 100 ms',
    Array.from({ length: ABORT_TRIES }, () => hanging),
    async (fixture) => {
      // The machine may be busy elsewhere: one try in time shows that nothing of ours waits.
      for (let at = 0; at < ABORT_TRIES; at += 1) {
        const controller = new AbortController()
        let abortedAt = Number.NaN
        const failure = failureOf(fixture, {
          signal: controller.signal,
          onPart(part) {
            if (part.type !== 'text-delta') return
            abortedAt = performance.now()
            controller.abort()
          },
        })
        const { aborted } = await fixture.server.request(at)
        await aborted
        const seenMs = performance.now() - abortedAt
        assert.equal((await failure).code, 'cancelled')
        if (seenMs <= ABORT_SEEN_MS) return
      }
      assert.fail(`no abort of ${ABORT_TRIES} was seen within ${ABORT_SEEN_MS} ms`)
    },
  )

  check('an abort before the first token reaches the server too', [[{ fault: 'hang' }]], async (fixture) => {
    const controller = new AbortController()
    const failure = failureOf(fixture, { signal: controller.signal })
    await fixture.server.request(0)
    controller.abort()
    assert.equal((await failure).code, 'cancelled')
    await (
      await fixture.server.request(0)
    ).aborted
  })

  check('a reader that leaves ends the call at the server', [[{ text: 'a' }, { fault: 'hang' }]], async (fixture) => {
    for await (const part of fixture.models.stream(requestOf(fixture))) if (part.type === 'text-delta') break
    await (
      await fixture.server.request(0)
    ).aborted
  })

  check('calls run side by side', { one: ['1'], two: ['2'], three: ['3'] }, async (fixture) => {
    const ask = async (text: string) =>
      textOf(await collect(fixture, { prompt: [{ role: 'user', content: [{ type: 'text', text }] }] }), 'text-delta')
    assert.deepEqual(await Promise.all(['one', 'two', 'three'].map(ask)), ['1', '2', '3'])
  })
}

const requestOf = ({ model }: ModelsFixture, options: Partial<ModelCallOptions> = {}): ModelRequest => ({
  model,
  options: { prompt: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }], ...options },
})

async function collect(fixture: ModelsFixture, options: Partial<ModelCallOptions> = {}): Promise<ModelPart[]> {
  const parts: ModelPart[] = []
  for await (const part of fixture.models.stream(requestOf(fixture, options))) parts.push(part)
  return parts
}

/** The error that ends a call. A finish on the way there is a failure of its own. */
async function failureOf(
  fixture: ModelsFixture,
  options: { signal?: AbortSignal; onPart?: (part: ModelPart) => void } = {},
): Promise<AppError> {
  try {
    for await (const part of fixture.models.stream(requestOf(fixture), { signal: options.signal })) {
      if (part.type === 'finish') assert.fail('the call finished')
      options.onPart?.(part)
    }
  } catch (error) {
    if (isAppError(error)) return error
    throw error
  }
  return assert.fail('the call ended without a finish and without an error')
}

type FinishPart = Extract<ModelPart, { type: 'finish' }>
const finishOf = (parts: readonly ModelPart[]): FinishPart =>
  parts.find((part): part is FinishPart => part.type === 'finish') ?? assert.fail('no finish')

const textOf = (parts: readonly ModelPart[], type: 'text-delta' | 'reasoning-delta'): string =>
  parts.map((part) => (part.type === type ? part.delta : '')).join('')

/** Every byte value, in no short period. */
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 255)

function imageOf({ messages }: ChatBody): Buffer {
  const content = messages?.at(-1)?.content as { image_url?: { url: string } }[] | undefined
  const url = content?.find((part) => part.image_url)?.image_url?.url ?? assert.fail('no image in the request')
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
}
