import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelIdSchema, parseModelRef } from './model-ref.ts'

for (const [written, node, provider, model] of [
  ['ollama/qwen3:8b', undefined, 'ollama', 'qwen3:8b'],
  ['gpu:ollama/qwen3:8b', 'gpu', 'ollama', 'qwen3:8b'],
  ['rack/org/name', undefined, 'rack', 'org/name'],
] as const) {
  test(`${written} is ${model} of ${provider} on ${node ?? 'no named node'}`, () => {
    assert.deepEqual(parseModelRef(written), node === undefined ? { provider, model } : { node, provider, model })
    assert.equal(modelIdSchema.safeParse(written).success, node === undefined)
  })
}

for (const written of [
  '',
  'qwen3',
  '/qwen3',
  'ollama/',
  'ollama/ ',
  ':ollama/qwen3',
  'a b:ollama/qwen3',
  'a:b:c/d',
  'a b/c',
  'gpu:qwen3',
  `x/${'m'.repeat(201)}`,
]) {
  test(`${JSON.stringify(written.slice(0, 20))} is no model`, () => {
    assert.equal(parseModelRef(written), undefined)
    assert.equal(modelIdSchema.safeParse(written).success, false)
  })
}
