import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlmOptions } from '@qmtcode/testing'
import { createLocalModels } from './local-models.ts'
import { createProviders } from './providers/providers.ts'
import type { Environment } from './providers/providers.ts'

const NOWHERE = { OLLAMA_HOST: '127.0.0.1:1' } // so that nothing of this machine is found
const ADVANCE_MS = 60_000

/** Models whose clock goes on by a minute for each question, so that no answer is kept. */
function modelsOf(config: Parameters<typeof createProviders>[0], env: Environment = NOWHERE) {
  let ms = 0
  const clock = { now: () => 0, monotonic: () => (ms += ADVANCE_MS) }
  return createLocalModels({ providers: createProviders(config, env), clock })
}

const FACTS: [string, ScriptedLlmOptions, { contextTokens?: number; slots: number; inFlight: number }][] = [
  ['a loaded model of Ollama', { plays: 'ollama', contextTokens: 4_096 }, { contextTokens: 4_096, slots: 8, inFlight: 0 }],
  ['one of Ollama that is not loaded', { plays: 'ollama' }, { contextTokens: 8_192, slots: 8, inFlight: 0 }],
  ['llama-server', { plays: 'llama-server', contextTokens: 16_384, slots: 2 }, { contextTokens: 16_384, slots: 2, inFlight: 1 }],
  ['vLLM', { plays: 'vllm', contextTokens: 32_768 }, { contextTokens: 32_768, slots: 8, inFlight: 0 }],
  ['LM Studio', { plays: 'lmstudio', contextTokens: 10_000 }, { contextTokens: 10_000, slots: 8, inFlight: 0 }],
  ['LM Studio, not loaded', { plays: 'lmstudio' }, { slots: 8, inFlight: 0 }],
  ['a server that tells nothing', {}, { slots: 8, inFlight: 0 }],
]

test('slots and window are the ones that the server itself tells, whatever it is called here', async () => {
  for (const [name, options, expected] of FACTS) {
    await using server = await startScriptedLlm([], options)
    for (const provider of ['rack', options.plays ?? 'other']) {
      const offers = await modelsOf({ [provider]: { baseUrl: server.url } }).offers()
      const found = offers.filter((offer) => offer.provider === provider)
      const { slots, inFlight, contextTokens } = found[0] ?? assert.fail(`${name}: not offered`)
      assert.deepEqual({ slots, inFlight, contextTokens }, { contextTokens: undefined, ...expected }, `${name} as ${provider}`)
    }
  }
})

test('a server at its usual address is offered without a table, beside what is configured, and once', async () => {
  await using server = await startScriptedLlm([], { plays: 'ollama', models: ['qwen3:8b'] })
  const env = { OLLAMA_HOST: server.url.replace(/^http:\/\/|\/v1$/g, ''), ANTHROPIC_API_KEY: 'k' }
  const idsOf = async (config: Parameters<typeof createProviders>[0]): Promise<string[]> =>
    (await modelsOf(config, env).offers()).map(({ id }) => id).filter((id) => /qwen3|anthropic/.test(id))
  assert.deepEqual(await idsOf({}), ['anthropic/*', 'ollama/qwen3:8b'])
  const sameServer = server.url.replace('127.0.0.1', 'localhost')
  assert.deepEqual(await idsOf({ mine: { baseUrl: sameServer } }), ['mine/qwen3:8b', 'anthropic/*'])
})

test('a server that ends is down until it answers again; one that was never there is not listed', async () => {
  const server = await startScriptedLlm([], { models: ['big'] })
  const port = Number(new URL(server.url).port)
  const models = modelsOf({ rack: { baseUrl: server.url } })
  const states = async () => (await models.offers()).filter(({ provider }) => provider === 'rack').map(({ id, state }) => [id, state])
  assert.deepEqual(await states(), [['rack/big', undefined]])
  assert.equal(await models.unready('rack/big'), undefined)
  assert.equal((await models.unready('rack/small'))?.code, 'model_unavailable')
  await server.stop()
  assert.deepEqual(await states(), [['rack/big', 'down']])
  assert.match((await models.unready('rack/big'))?.message ?? '', /^rack at http:\/\/127\.0\.0\.1:\d+\/v1 does not answer$/)
  await using again = await startScriptedLlm([], { models: ['big'], port })
  assert.equal(again.url, server.url)
  assert.deepEqual(await states(), [['rack/big', undefined]])
  assert.deepEqual(
    await modelsOf({ gone: { baseUrl: 'http://127.0.0.1:1/v1' } })
      .offers()
      .then((all) => all.filter(({ provider }) => provider === 'gone')),
    [],
  )
})

test('a call that fails makes the node ask the server again, at once', async () => {
  const server = await startScriptedLlm([], { models: ['big'] })
  const models = createLocalModels({ providers: createProviders({ rack: { baseUrl: server.url } }, NOWHERE) })
  assert.equal(await models.unready('rack/big'), undefined)
  await server.stop()
  assert.equal(await models.unready('rack/big'), undefined, 'its last word is believed')
  const call = models.stream({ model: 'rack/big', options: { prompt: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] } })
  await assert.rejects(async () => {
    for await (const _part of call);
  })
  assert.equal((await models.unready('rack/big'))?.code, 'provider_error')
})
