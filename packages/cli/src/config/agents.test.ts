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
  return { made, first: made[0], defaultId: defaultAgentId(config), config }
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

test('an agent of another maker has a name, a description and a patience, or what stands for them', () => {
  const toml = `[[agents]]
id = "plain"
acp = ["other-agent", "acp"]
[[agents]]
id = "claude"
name = "Claude"
description = "Another maker's."
acp = ["claude-agent-acp"]
idle_secs = 30`
  const { made, config } = specs(toml)
  assert.deepEqual(
    made.slice(1).map(({ id, name, description, kind, capabilities, foreign }) => [id, name, description, kind, capabilities, foreign]),
    [
      ['plain', 'plain', '', 'local', ['acp'], true],
      ['claude', 'Claude', "Another maker's.", 'local', ['acp'], true],
    ],
  )
  assert.deepEqual(
    config.acpAgents.map(({ acp, idleSecs }) => [acp, idleSecs]),
    [
      [['other-agent', 'acp'], 900],
      [['claude-agent-acp'], 30],
    ],
  )
})

test('wrong keys of an agent of another maker are told where they stand', () => {
  const problem = (line: string): string => {
    const { value, diagnostics } = readConfig(`[[agents]]\nid = "a"\nacp = ["x"]\n${line}`, { file: 'qmt.toml', env: {} })
    assert.equal(value, undefined)
    return diagnostics.map(({ line: at, path, message }) => `${at} ${path}: ${message}`).join()
  }
  for (const value of ['0', '0.5', '604_801', '"900"']) assert.match(problem(`idle_secs = ${value}`), /^4 agents\[0\]\.idle_secs: expected/)
  assert.match(problem('name = ""'), /^4 agents\[0\]\.name: /)
  assert.match(problem('model = "claude/large"'), /^4 agents\[0\]\.model: unknown here: it belongs to \[agent\]/)
})
