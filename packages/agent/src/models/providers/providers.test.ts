import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import { createProviders } from './providers.ts'
import type { ProviderConfig } from './providers.ts'

function refusalOf(config: Record<string, ProviderConfig>): AppError {
  try {
    createProviders(config)
  } catch (error) {
    if (error instanceof AppError) return error
  }
  return assert.fail('it was accepted')
}

test('the kind comes from the name, and from base_url where the name is unknown', () => {
  const providers = createProviders({
    anthropic: { apiKey: 'k' },
    rack: { baseUrl: 'http://10.0.0.7:8000/v1/' },
    mine: { kind: 'google', apiKey: 'k' },
  })
  assert.deepEqual(
    providers.list().map(({ name, kind, baseUrl }) => [name, kind, baseUrl]),
    [
      ['anthropic', 'anthropic', 'https://api.anthropic.com/v1'],
      ['rack', 'openai-compatible', 'http://10.0.0.7:8000/v1'],
      ['mine', 'google', 'https://generativelanguage.googleapis.com/v1beta'],
      ['builtin', 'builtin', undefined],
    ],
  )
  assert.equal(providers.get('ollama').baseUrl, 'http://127.0.0.1:11434/v1')
  assert.equal(providers.get('ollama').isConfigured, false)
})

test('impossible providers are refused with what to do', () => {
  const unknown = refusalOf({ antropic: {} })
  assert.equal(unknown.code, 'bad_config')
  assert.match(unknown.hint ?? '', /did you mean anthropic/)
  assert.match(refusalOf({ anthropic: { kind: 'openai-compatible' } }).message, /no base_url/)
  assert.match(refusalOf({ x: { baseUrl: 'not a url' } }).message, /base_url is not a URL/)
  assert.match(refusalOf({ x: { baseUrl: 'ftp://x/' } }).message, /http or https/)
  const secret = refusalOf({ x: { baseUrl: 'http://me:hunter22@x/v1' } })
  assert.match(secret.hint ?? '', /api_key/)
  assert.doesNotMatch(secret.message, /hunter22/)
})

test('an unknown name that is used is unavailable, with the nearest names', () => {
  assert.throws(() => createProviders({}).get('olama'), { code: 'model_unavailable', hint: 'did you mean ollama?' })
  assert.throws(() => createProviders({}).get('constructor'), { code: 'model_unavailable' })
})

test('keys come from the file or the environment, and are never shown', async () => {
  const key = 'sk-very-secret-key-123456'
  const providers = createProviders({ openai: { apiKey: key } }, { ANTHROPIC_API_KEY: key, GEMINI_API_KEY: key })
  assert.deepEqual(
    providers.list().map(({ name, keySource }) => [name, keySource]),
    [
      ['openai', '[providers.openai] api_key'],
      ['anthropic', 'ANTHROPIC_API_KEY'],
      ['google', 'GEMINI_API_KEY'],
      ['builtin', undefined],
    ],
  )
  for (const provider of providers.list()) {
    assert.doesNotMatch(inspect(provider, { depth: 10 }) + JSON.stringify(provider), /very-secret/)
  }
  assert.equal(providers.get('openai').redact(`refused: ${key}`), 'refused: [redacted]')
})

test('a hosted provider without a key says which variable to set', () => {
  const problem = createProviders({}, {}).get('google').problem()
  assert.equal(problem?.code, 'model_unavailable')
  assert.match(problem?.hint ?? '', /GOOGLE_GENERATIVE_AI_API_KEY or GEMINI_API_KEY/)
})

test('addresses from the environment get the version that other tools leave out', () => {
  const env = { ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: 'http://127.0.0.1:9/' }
  assert.equal(createProviders({}, env).get('anthropic').baseUrl, 'http://127.0.0.1:9/v1')
})
