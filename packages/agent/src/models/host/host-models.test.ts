import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, silentLogger } from '@qmtcode/protocol'
import type { ModelCallOptions, ModelOffer, ModelPart, ModelRequest, Models } from '@qmtcode/protocol'
import { modelsCompliance, startScriptedLlm } from '@qmtcode/testing'
import { createLocalModels } from '../local-models.ts'
import { createProviders } from '../providers/providers.ts'
import { createHostModels } from './host-models.ts'
import type { HostModelsOptions } from './host-models.ts'

const CALLER = 'caller-peer'

modelsCompliance('host', async (script, setup) => {
  const server = await startScriptedLlm(script)
  const local = createLocalModels({ providers: createProviders({ rack: { baseUrl: server.url } }) }, setup)
  const models = createHostModels({ models: local }, { self: 'me', caller: CALLER })
  return { server, models, model: 'rack/scripted', [Symbol.asyncDispose]: server.stop }
})

const FINISH = {
  type: 'finish',
  finishReason: { unified: 'stop', raw: 'stop' },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
} as unknown as ModelPart

/** A host over models that record what reaches them. */
function hostOver(
  options: Partial<HostModelsOptions> = {},
  { offers = [], before }: { offers?: ModelOffer[]; before?: Promise<void> } = {},
) {
  const seen: ModelRequest[] = []
  const models: Models = {
    offers: () => Promise.resolve(offers),
    async *stream(request) {
      seen.push(request)
      await before
      yield FINISH
    },
  }
  return { seen, host: createHostModels({ models }, { self: 'me', caller: CALLER, ...options }) }
}

const hello: ModelCallOptions = { prompt: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] }

async function run(host: Models, request: Partial<ModelRequest> = {}): Promise<ModelPart[]> {
  const parts: ModelPart[] = []
  for await (const part of host.stream({ model: 'p/m', options: hello, ...request })) parts.push(part)
  return parts
}
const refuses = async (host: Models, request: Partial<ModelRequest>, code: string, message?: RegExp): Promise<void> => {
  await assert.rejects(run(host, request), (error: AppError) => {
    assert.equal(error.code, code)
    if (message) assert.match(error.message, message)
    return true
  })
}

test('only listed options reach the provider, and no headers', async () => {
  const { host, seen } = hostOver()
  const options = {
    ...hello,
    temperature: 0.5,
    headers: { authorization: 'x' },
    includeRawChunks: true,
    prompt: [
      {
        role: 'system',
        content: 's',
        providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' }, toolChanges: [] }, openai: { additionalTools: [] } },
      },
      {
        role: 'user',
        content: [{ type: 'text', text: 'hi', providerOptions: { google: { thoughtSignature: 'sig' }, rack: { model: 'other' } } }],
      },
    ],
    providerOptions: {
      openai: { reasoningEffort: 'low', previousResponseId: 'resp_1', store: true },
      anthropic: { thinking: { type: 'disabled' }, mcpServers: [{ url: 'http://x' }] },
      rack: { model: 'another', user: 'me' },
    },
  } as unknown as ModelCallOptions
  await run(host, { options, origin: [CALLER] })
  const got = seen[0]?.options
  assert.deepEqual(got?.providerOptions, { openai: { reasoningEffort: 'low' }, anthropic: { thinking: { type: 'disabled' } } })
  assert.equal(got?.temperature, 0.5)
  assert.ok(!('headers' in (got ?? {})) && !('includeRawChunks' in (got ?? {})))
  assert.deepEqual(got?.prompt[0]?.providerOptions, { anthropic: { cacheControl: { type: 'ephemeral' } } })
  assert.doesNotMatch(JSON.stringify(got), /other|toolChanges|additionalTools/)
  assert.match(JSON.stringify(got?.prompt[1]), /"thoughtSignature":"sig"/)
})

const user = (part: object): Partial<ModelRequest> => ({
  options: { prompt: [{ role: 'user', content: [part] }] } as unknown as ModelCallOptions,
})
const REFUSED: Record<string, Partial<ModelRequest>> = {
  'a provider-executed tool': { options: { ...hello, tools: [{ type: 'provider', id: 'openai.web_search', name: 'web', args: {} }] } },
  'a file by URL': user({ type: 'file', mediaType: 'image/png', data: { type: 'url', url: new URL('http://169.254.169.254/') } }),
  'a file by URL in the old shape': user({ type: 'file', mediaType: 'image/png', data: new URL('http://127.0.0.1/') }),
  'a file by reference': user({ type: 'file', mediaType: 'image/png', data: { type: 'reference', reference: { openai: 'file-1' } } }),
  'a custom part': user({ type: 'custom', kind: 'openai.compaction' }),
  'the id of a file in place of its data': user({
    type: 'file',
    mediaType: 'application/pdf',
    data: { type: 'data', data: 'file-abc123' },
  }),
  'a file without a media type': user({ type: 'file', data: { type: 'data', data: 'aGk=' } }),
  'the id of a file within a tool result': user({
    type: 'tool-result',
    toolCallId: '1',
    toolName: 't',
    output: { type: 'content', value: [{ type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'file-abc123' } }] },
  }),
  'a URL within a tool result': user({
    type: 'tool-result',
    toolCallId: '1',
    toolName: 't',
    output: { type: 'content', value: [{ type: 'file', mediaType: 'image/png', data: { type: 'url', url: new URL('http://x.test/') } }] },
  }),
}
for (const [what, request] of Object.entries(REFUSED)) {
  test(`refuses ${what}`, async () => {
    const { host, seen } = hostOver()
    await refuses(host, request, 'bad_request')
    assert.equal(seen.length, 0)
  })
}

test('a call that goes in a circle, or too far, is forbidden', async () => {
  const { host } = hostOver()
  await refuses(host, { origin: ['me', CALLER] }, 'forbidden', /circle/)
  await refuses(host, { origin: [CALLER, 'x', CALLER] }, 'forbidden', /circle/)
  await refuses(host, { origin: ['a', 'b', 'c', 'd'] }, 'forbidden', /5 nodes/)
  assert.equal((await run(host, { origin: ['a', 'b', 'c', CALLER] })).length, 1)
})

test('what is not shared is unavailable, and the error names what is', async () => {
  const offer = (id: string): ModelOffer => ({ id, provider: id.split('/')[0] ?? '', model: id.split('/')[1] ?? '', slots: 8, inFlight: 0 })
  const offers = [{ ...offer('rack/small'), apiKey: 'secret' }, offer('rack/big'), offer('anthropic/*')]
  const { host } = hostOver({ share: ['rack/s*', 'anthropic/claude-a'] }, { offers })
  assert.deepEqual(await host.offers(), [offer('rack/small'), offer('anthropic/claude-a')])
  await refuses(host, { model: 'rack/big' }, 'model_unavailable', /shared: rack\/small, anthropic\/claude-a/)
  assert.equal((await run(host, { model: 'anthropic/claude-a' })).length, 1)
})

test('no spelling of a model that is not shared is taken for one that is', async () => {
  const { host, seen } = hostOver({ share: ['google/gemini-a*', 'ollama/qwen3:8b'] })
  for (const model of [
    'google/gemini-a/../gemini-b',
    'google/gemini-a/../../v1beta/models/gemini-b',
    'google/gemini-a/%2e%2e/gemini-b',
    String.raw`google/gemini-a\..\gemini-b`,
    'google/gemini-a/./../gemini-b',
    'google/gemini-a:countTokens?x=',
    'google/gemini-a#',
    'google/gemini-a\u0000b',
    'google/gemini-a\u00a0b',
    'Google/gemini-a',
    'ollama/QWEN3:8b',
    'ollama/qwen3:8b ',
    'ollama/qwen3\uff1a8b',
  ]) {
    await refuses(host, { model }, 'model_unavailable', /not shared here/)
  }
  assert.equal(seen.length, 0)
  for (const model of ['google/gemini-a-1.5', 'google/gemini-a/tuned', 'ollama/qwen3:8b'])
    assert.equal((await run(host, { model })).length, 1)
})

test('a peer reaches no server of this machine that the node does not use itself', async () => {
  const local = createLocalModels({ providers: createProviders({}, {}) }, { offers: { timeoutMs: 500 } })
  const host = createHostModels({ models: local }, { self: 'me', caller: CALLER })
  for (const model of ['vllm/x', 'lmstudio/x', 'llama-server/x', 'openai/gpt', '__proto__/x', 'constructor/x']) {
    await refuses(host, { model }, 'model_unavailable', /not shared here/)
  }
})

test('a server that is only known by name serves the models that it lists', async () => {
  await using server = await startScriptedLlm([[{ text: 'hi' }]])
  const provider = createProviders({ rack: { baseUrl: server.url } }).get('rack')
  const providers = { list: () => [], usual: () => [], get: () => provider }
  const host = createHostModels({ models: createLocalModels({ providers }) }, { self: 'me', caller: CALLER })
  assert.equal((await run(host, { model: 'rack/scripted' })).at(-1)?.type, 'finish')
  await refuses(host, { model: 'rack/other' }, 'model_unavailable', /not shared here/)
})

test('a call has the rights of the least of the nodes it passed', async () => {
  const { host } = hostOver({ mayCall: (peerId) => Promise.resolve(peerId === 'client') })
  assert.equal((await run(host, { origin: ['client', CALLER] })).length, 1)
  assert.equal((await run(host, { origin: [CALLER] })).length, 1)
  await refuses(host, { origin: ['banned', CALLER] }, 'forbidden', /banned/)
  await refuses(host, { origin: ['client', 'banned'] }, 'forbidden', /banned/)
})

test('pings while the model is silent', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { host } = hostOver({ firstPingMs: 1, pingMs: 1 }, { before: promise })
  const types: string[] = []
  for await (const { type } of host.stream({ model: 'p/m', options: hello })) {
    types.push(type)
    if (types.length === 3) resolve()
  }
  assert.deepEqual(types.slice(0, 3), ['ping', 'ping', 'ping'])
  assert.equal(types.at(-1), 'finish')
})

test('a caller that leaves while the model is silent ends the call there', async () => {
  await using server = await startScriptedLlm([[{ fault: 'hang' }]])
  const models = createLocalModels({ providers: createProviders({ rack: { baseUrl: server.url } }) })
  const host = createHostModels({ models }, { self: 'me', caller: CALLER, firstPingMs: 1 })
  const parts = host.stream({ model: 'rack/scripted', options: hello })
  const request = server.request(0)
  for await (const part of parts) {
    assert.equal(part.type, 'ping')
    await request
    break
  }
  await (
    await request
  ).aborted
})

test('errors tell a peer neither hints nor addresses, and the log tells both', async () => {
  const warned: unknown[] = []
  const log = { ...silentLogger, warn: (_message: string, fields: unknown) => warned.push(fields) }
  const models: Models = {
    offers: () => Promise.resolve([]),
    // oxlint-disable-next-line require-yield
    async *stream() {
      throw new AppError('provider_error', 'cannot reach Ollama at http://10.0.0.9:11434/v1: refused', {
        hint: 'the key comes from X',
        details: { status: 502 },
      })
    },
  }
  await assert.rejects(run(createHostModels({ models, log }, { self: 'me', caller: CALLER })), (error: AppError) => {
    assert.equal(error.code, 'provider_error')
    assert.doesNotMatch(error.message, /10\.0\.0\.9/)
    assert.equal(error.hint, undefined)
    assert.deepEqual(error.details, { status: 502 })
    return true
  })
  const message = 'cannot reach Ollama at http://10.0.0.9:11434/v1: refused'
  const details = { status: 502 }
  assert.deepEqual(warned, [{ caller: CALLER, model: 'p/m', code: 'provider_error', message, hint: 'the key comes from X', details }])
})
