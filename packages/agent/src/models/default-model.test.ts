import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AppError } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import { discoverDefaultModel } from './default-model.ts'
import type { DefaultModelComponents } from './default-model.ts'
import type { Provider, Providers } from './providers/provider.ts'
import { createProviders } from './providers/providers.ts'

/** Real providers, but for the ones of this machine, which may really run here. */
function withLocal(providers: Providers, lists: Record<string, string[]> = {}): Providers {
  const usual = (provider: Provider): Provider => {
    const listed = lists[provider.name]
    return { ...provider, listModels: () => (listed ? Promise.resolve(listed) : Promise.reject(new Error('nothing there'))) }
  }
  return { ...providers, usual: () => providers.usual().map(usual) }
}

const find = async (providers: Providers, peerModels?: DefaultModelComponents['peerModels']) =>
  await discoverDefaultModel({ providers, peerModels })

test('keys in the environment, in the order of the design', async () => {
  const all = { OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k', GEMINI_API_KEY: 'k' }
  assert.deepEqual(await find(createProviders({}, all)), { model: 'anthropic/claude-sonnet-5-5', from: 'ANTHROPIC_API_KEY' })
  const two = { GEMINI_API_KEY: 'k', OPENAI_API_KEY: 'k' }
  assert.equal((await find(createProviders({}, two))).from, 'OPENAI_API_KEY')
})

test('a configured server comes before keys, with a model that it has', async () => {
  await using server = await startScriptedLlm([], { models: ['text-embedding', 'tiny'] })
  const providers = createProviders({ rack: { baseUrl: server.url } }, { OPENAI_API_KEY: 'k' })
  assert.deepEqual(await find(providers), { model: 'rack/tiny', from: '[providers.rack]' })
})

test('without keys, servers on this machine: Ollama first, with the model it prefers', async () => {
  const providers = createProviders({})
  const both = await find(withLocal(providers, { 'llama-server': ['x'], ollama: ['llama3:8b', 'qwen3-coder:30b'] }))
  assert.deepEqual(both, { model: 'ollama/qwen3-coder:30b', from: 'Ollama at http://127.0.0.1:11434/v1' })
  assert.equal((await find(withLocal(providers, { 'llama-server': ['x'], ollama: [] }))).model, 'llama-server/x')
  assert.equal((await find(withLocal(providers, { 'llama-server': ['x'], ollama: ['*'] }))).model, 'llama-server/x')
})

test('with none of them, an error with the ways and what peers offer; builtin/demo is not taken', async () => {
  const failure = find(withLocal(createProviders({})), () => Promise.resolve(['gpu:rack/big']))
  await assert.rejects(failure, (error: AppError) => {
    assert.equal(error.code, 'model_unavailable')
    for (const way of ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'Ollama', 'llama-server', 'base_url', 'gpu:rack/big']) {
      assert.ok(error.hint?.includes(way), way)
    }
    return true
  })
})
