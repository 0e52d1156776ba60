import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentSpecSchema } from '@qmtcode/protocol'
import { agentSpecsOf, defaultAgentId } from './agents.ts'
import { readConfig } from './read.ts'
import { toConfig } from './to-config.ts'

function specs(toml: string) {
  const { value, diagnostics } = readConfig(toml, { file: 'qmt.toml', env: {} })
  assert.ok(value, JSON.stringify(diagnostics))
  const config = toConfig(value, { home: '/q', userHome: '/h', hostname: 'laptop' })
  const made = agentSpecsOf(config)
  for (const spec of made) agentSpecSchema.parse(spec)
  return { made, first: made[0], defaultId: defaultAgentId(config) }
}

test('with nothing configured there is a coder, with the default model and all tools', () => {
  const { made, defaultId } = specs('')
  assert.deepEqual(made, [
    {
      id: 'default',
      name: 'Coder',
      description: 'Reads, changes and runs code in the workspace.',
      kind: 'local',
      capabilities: [],
      target: { kind: 'local' },
    },
  ])
  assert.equal(defaultId, 'default')
})

test('[agent] or [planner] is the default agent', () => {
  assert.equal(specs('[agent]').defaultId, 'default')
  assert.equal(specs('[agent]\nid = "coder"').defaultId, 'coder')
  assert.equal(specs('[planner]\n[[delegates]]\nid = "d"').defaultId, 'planner')
})

test('all keys of an agent arrive', () => {
  const { first } = specs(`[agent]
provider = "anthropic"
model = "claude-x"
description = "d"
tools = []
capabilities = ["c"]
system = "s"
limits = { max_steps = 7 }`)
  assert.deepEqual(first, {
    id: 'default',
    name: 'Coder',
    description: 'd',
    kind: 'local',
    model: 'anthropic/claude-x',
    system: 's',
    tools: [],
    capabilities: ['c'],
    target: { kind: 'local' },
    maxSteps: 7,
  })
})

test('a model names its node, its provider, or both', () => {
  const target = (keys: string) => {
    const { made } = specs(`[[delegates]]\nid = "d"\n${keys}`)
    return [made[1]?.model, made[1]?.target]
  }
  assert.deepEqual(target('model = "ollama/qwen3:8b"'), ['ollama/qwen3:8b', { kind: 'local' }])
  assert.deepEqual(target('model = "gpu:ollama/qwen3:8b"'), ['ollama/qwen3:8b', { kind: 'peer', peer: 'gpu' }])
  assert.deepEqual(target('model = "any:ollama/qwen3"'), ['ollama/qwen3', { kind: 'any' }])
  assert.deepEqual(target('provider = "vllm"\nmodel = "qwen/qwen3:8b"'), ['vllm/qwen/qwen3:8b', { kind: 'local' }])
  assert.deepEqual(target('peer = "gpu"'), [undefined, { kind: 'peer', peer: 'gpu' }])
  assert.deepEqual(target('model = "a/b"\npeer = "any"'), ['a/b', { kind: 'any' }])
})
