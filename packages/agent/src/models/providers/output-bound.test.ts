import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedLlm } from '@qmtcode/testing'
import { createLocalModels } from '../local-models.ts'
import type { ProviderKind } from './known-providers.ts'
import { createProviders } from './providers.ts'

type Row = [kind: ProviderKind, model: string, configured: number | undefined, asked: number | undefined, sent: number | undefined]
const ROWS: Row[] = [
  ['anthropic', 'glm-5-air', undefined, undefined, 32_000],
  ['anthropic', 'glm-5-air', 9_000, undefined, 9_000],
  ['anthropic', 'glm-5-air', 9_000, 100, 100],
  ['anthropic', 'claude-sonnet-4-5', undefined, undefined, 64_000],
  ['anthropic', 'claude-sonnet-4-5', 9_000, undefined, 9_000],
  ['openai-compatible', 'qwen3', undefined, undefined, undefined],
  ['openai-compatible', 'qwen3', 9_000, undefined, 9_000],
]

test('kind 2: an answer is bounded as the call says, else as configured, else so that an agent can work', async () => {
  for (const [kind, model, maxOutputTokens, asked, sent] of ROWS) {
    await using server = await startScriptedLlm(['hi'])
    const models = createLocalModels({ providers: createProviders({ lab: { kind, baseUrl: server.url, apiKey: 'k', maxOutputTokens } }) })
    const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }]
    for await (const _part of models.stream({ model: `lab/${model}`, options: { prompt, maxOutputTokens: asked } }));
    assert.equal(server.requests[0]?.body['max_tokens'], sent, `${kind} ${model} ${maxOutputTokens} ${asked}`)
  }
})
