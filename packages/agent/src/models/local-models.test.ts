import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import type { ModelPart } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Script } from '@qmtcode/testing'
import { sharedOffers } from './host/shared-offers.ts'
import { createLocalModels } from './local-models.ts'
import type { LocalModels } from './local-models.ts'
import { createProviders } from './providers/providers.ts'
import type { ProviderConfig } from './providers/providers.ts'

const KEY = 'sk-abcdefghijklmnop123'

async function ask(models: LocalModels, model: string): Promise<ModelPart[]> {
  const parts: ModelPart[] = []
  const options = { prompt: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }] }
  for await (const part of models.stream({ model, options })) parts.push(part)
  return parts
}

async function failureOf(models: LocalModels, model: string): Promise<AppError> {
  const error: unknown = await ask(models, model).then(
    () => assert.fail('it was answered'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof AppError)
  return error
}

const modelsOf = (config: Record<string, ProviderConfig>): LocalModels => createLocalModels({ providers: createProviders(config) })
const textOf = (parts: readonly ModelPart[]): string => parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('')

async function anthropic(script: Script) {
  const server = await startScriptedLlm(script)
  return { server, models: modelsOf({ anthropic: { baseUrl: server.url, apiKey: KEY } }), [Symbol.asyncDispose]: server.stop }
}

test('speaks to Anthropic: reasoning, text, tools, usage', async () => {
  await using at = await anthropic([
    [{ reasoning: 'hm' }, { text: ['Hel', 'lo'] }, { tool: 'look', input: { at: 1 } }, { usage: { input: 9, output: 4, cached: 3 } }],
  ])
  const parts = await ask(at.models, 'anthropic/claude-x')
  assert.equal(textOf(parts), 'Hello')
  assert.ok(parts.some((part) => part.type === 'reasoning-delta' && part.delta === 'hm'))
  assert.ok(parts.some((part) => part.type === 'tool-call' && part.toolName === 'look' && part.input === '{"at":1}'))
  const finish = parts.at(-1)
  assert.ok(finish?.type === 'finish' && finish.usage.inputTokens.cacheRead === 3 && finish.usage.outputTokens.total === 4)
  assert.equal(at.server.requests[0]?.headers['x-api-key'], KEY)
})

test('Anthropic’s failures are the same errors', async () => {
  await using at = await anthropic([
    [{ fault: { status: 429, retryAfter: '2', code: 'rate_limit_error' } }],
    [{ text: 'a' }, { fault: 'half' }],
    [{ fault: { status: 401, message: 'invalid x-api-key', code: 'authentication_error' } }],
  ])
  const limited = await failureOf(at.models, 'anthropic/c')
  assert.deepEqual([limited.code, limited.details?.retryAfterMs, limited.hint], ['rate_limited', 2_000, 'try again in 2 s'])
  assert.match((await failureOf(at.models, 'anthropic/c')).message, /ended early/)
  const refused = await failureOf(at.models, 'anthropic/c')
  assert.deepEqual([refused.code, refused.details?.status], ['provider_error', 401])
  assert.match(refused.hint ?? '', /\[providers\.anthropic\] api_key/)
})

test('OpenAI behind another address is spoken to in chat completions', async () => {
  await using server = await startScriptedLlm(['hi'])
  assert.equal(textOf(await ask(modelsOf({ openai: { baseUrl: server.url, apiKey: KEY } }), 'openai/gpt-x')), 'hi')
  assert.equal(server.requests[0]?.path, '/v1/chat/completions')
})

test('a server that is not there: which one, where, what to do', async () => {
  const error = await failureOf(modelsOf({ ollama: { baseUrl: await closedUrl() } }), 'ollama/qwen')
  assert.equal(error.code, 'provider_error')
  assert.match(error.message, /cannot reach Ollama at http:\/\/127\.0\.0\.1:\d+\/v1: connection refused/)
  assert.match(error.hint ?? '', /is it running/)
})

test('an error in the middle of a stream keeps its own words, without the key', async () => {
  await using server = await rawServer(
    'text/event-stream',
    `data: {"error":{"message":"slow down, ${KEY}","type":"rate_limit_error","code":"rate_limit_exceeded"}}\n\n`,
  )
  const error = await failureOf(modelsOf({ rack: { baseUrl: server.url, apiKey: KEY } }), 'rack/m')
  assert.equal(error.code, 'rate_limited')
  assert.equal(error.details?.providerCode, 'rate_limit_exceeded')
  assert.doesNotMatch(error.message, /abcdefgh/)
})

test('a redirect is not followed: it would carry the key away', async () => {
  let reached = false
  await using elsewhere = await rawServer('text/plain', 'x', { onRequest: () => (reached = true) })
  await using server = await rawServer('text/plain', '', { status: 307, headers: { location: `${elsewhere.url}/chat/completions` } })
  assert.equal((await failureOf(modelsOf({ rack: { baseUrl: server.url, apiKey: KEY } }), 'rack/m')).code, 'provider_error')
  assert.equal(reached, false)
})

test('retry-after may be a date', async () => {
  await using server = await startScriptedLlm([[{ fault: { status: 429, retryAfter: new Date(Date.now() + 60_000).toUTCString() } }]])
  const { details } = await failureOf(modelsOf({ rack: { baseUrl: server.url } }), 'rack/m')
  assert.ok(details?.retryAfterMs !== undefined && details.retryAfterMs > 50_000 && details.retryAfterMs <= 60_000)
})

test('offers what its servers list, asked once for many callers, and nothing of one that is away', async () => {
  let asked = 0
  await using server = await rawServer('application/json', '{"data":[{"id":"a"},{"id":"b/c:1"}]}', { onRequest: () => (asked += 1) })
  const models = createLocalModels({
    providers: createProviders({
      rack: { baseUrl: server.url },
      away: { baseUrl: await closedUrl() },
      anthropic: { apiKey: KEY },
      openai: {},
    }),
  })
  const [offers] = await Promise.all([models.offers(), models.offers()])
  assert.deepEqual(
    offers.map(({ id }) => id),
    ['rack/a', 'rack/b/c:1', 'anthropic/*', 'builtin/demo'],
  )
  await models.offers()
  assert.equal(asked, 1)
})

test('counts what is in flight, and lets go of it however a call ends', async () => {
  await using server = await startScriptedLlm([[{ text: 'a' }, { fault: 'hang' }], [{ fault: { status: 500 } }], 'x'])
  const models = createLocalModels({ providers: createProviders({ rack: { baseUrl: server.url } }) }, { slots: 3 })
  const options = { prompt: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }] }
  for await (const part of models.stream({ model: 'rack/m', options })) {
    if (part.type !== 'text-delta') continue
    assert.deepEqual(models.load(), { inFlight: 1, slots: 3, queued: 0 })
    break
  }
  await failureOf(models, 'rack/m')
  await ask(models, 'rack/m')
  assert.deepEqual(models.load(), { inFlight: 0, slots: 3, queued: 0 })
})

test('problem tells without calling', () => {
  const models = modelsOf({ openai: {}, rack: { baseUrl: 'http://127.0.0.1:9/v1' } })
  assert.equal(models.problem('rack/any'), undefined)
  assert.equal(models.problem('builtin/demo'), undefined)
  assert.match(models.problem('openai/x')?.hint ?? '', /OPENAI_API_KEY/)
  assert.equal(models.problem('nobody/x')?.code, 'model_unavailable')
  assert.equal(models.problem('no-slash')?.code, 'bad_request')
})

async function closedUrl(): Promise<string> {
  const server = await startScriptedLlm([])
  await server.stop()
  return server.url
}

/** A server that answers everything alike. */
async function rawServer(
  type: string,
  body: string,
  options: { status?: number; headers?: Record<string, string>; onRequest?: () => void } = {},
): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((_request, response) => {
    options.onRequest?.()
    response.writeHead(options.status ?? 200, { 'content-type': type, ...options.headers }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

test('offers tell how much a context holds, where the server does', async () => {
  for (const contextTokens of [8_192, undefined]) {
    await using server = await startScriptedLlm({}, { contextTokens })
    const offers = await modelsOf({ rack: { baseUrl: server.url } }).offers()
    const [shared] = sharedOffers(offers, ['rack/*'])
    assert.deepEqual([shared?.id, shared?.contextTokens], ['rack/scripted', contextTokens])
  }
})
