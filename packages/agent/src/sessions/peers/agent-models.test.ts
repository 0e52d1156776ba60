import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { ERROR_CODES } from '@qmtcode/protocol'
import type { AgentModelsQuery, AgentSpec } from '@qmtcode/protocol'
import { sharedAgentModels } from './share.ts'

const spec = (id: string, foreign?: true): AgentSpec => ({
  id,
  name: id,
  description: '',
  kind: 'local',
  capabilities: [],
  target: { kind: 'local' },
  foreign,
})
const specs = [spec('coder'), spec('claude', true), spec('secret', true)]
const components = {
  agents: { get: (id: string) => specs.find((agent) => agent.id === id), default: () => spec('coder') },
  node: { name: 'host' },
}
const shared = { agents: ['*', 'claude'], workspaces: [tmpdir()], models: ['*'], sessions: 'shared' as const }

test('peers are told of the agents that are shared by their whole id, and of their models that are shared; nobody else is started', async () => {
  const asked: AgentModelsQuery[] = []
  const models = async (query: AgentModelsQuery = {}) => {
    asked.push(query)
    const agent = query.agent ?? ''
    return [{ agent, models: ['big', 'small'].map((name) => ({ id: `${agent}/${name}`, name })), current: `${agent}/big` }]
  }
  const told = (share: typeof shared, query: AgentModelsQuery = {}) => sharedAgentModels(components, share, { query, models })
  const [claude, none] = await told(shared)
  assert.equal(none, undefined)
  assert.deepEqual(
    claude?.models.map(({ id }) => id),
    ['claude/big', 'claude/small'],
  )
  assert.deepEqual(
    asked.map(({ agent }) => agent),
    ['claude'],
  )
  const [some] = await told({ ...shared, models: ['claude/small'] })
  assert.deepEqual(
    some?.models.map(({ id }) => id),
    ['claude/small'],
  )
  assert.equal(some?.current, undefined, 'a model that is not shared is not named')
  asked.length = 0
  await assert.rejects(told(shared, { agent: 'secret' }), { code: 'forbidden' })
  await assert.rejects(told(shared, { agent: 'claude', workspace: '/' }), { code: 'forbidden' })
  assert.deepEqual(await told({ ...shared, workspaces: [] }), [])
  assert.deepEqual(asked, [])
})

test('why an agent does not tell its models is told to peers as a plain sentence: nothing of the host is in it', async () => {
  const problem = 'agent claude cannot be started: spawn /home/ann/bin/claude ENOENT; see /home/ann/.claude.json, token sk-ant-api03-abc'
  for (const code of [...ERROR_CODES, undefined]) {
    const models = async () => [{ agent: 'claude', models: [], problem, code }]
    const [told] = await sharedAgentModels(components, shared, { query: {}, models })
    assert.match(told?.problem ?? '', new RegExp(`agent claude .*on host|host has no room for agent claude`))
    assert.match(told?.problem ?? '', new RegExp(`\\(${code ?? 'internal'}\\)`))
    assert.doesNotMatch(JSON.stringify(told), /home|spawn|ENOENT|sk-/)
  }
})
