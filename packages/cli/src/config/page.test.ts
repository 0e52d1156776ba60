import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentSpecsOf, defaultAgentId } from './agents.ts'
import type { Config } from './config.ts'
import { formatDiagnostic } from './diagnostics.ts'
import { loadConfig } from './load.ts'

const PAGE = join(import.meta.dirname, 'fixtures', 'page')
const TOOLS = ['edit', 'write_file', 'shell']

async function loaded(block: string): Promise<{ config: Config; notices: string[] }> {
  const components = { argvFile: `${block}.toml`, home: '/nowhere', env: { HOME: '/home/ada' }, cwd: PAGE }
  const { config, notices } = await loadConfig(components, { hostname: 'laptop' })
  return { config, notices: notices.map(formatDiagnostic) }
}

const peer = (name: string, addr: string) => ({ name, addr, peerId: undefined, use: true, labels: [], source: 'file' as const })

test('basic mesh: request_timeout_secs after [[mesh.peers]] is that peer’s timeout', async () => {
  const { config, notices } = await loaded('basic-mesh')
  const { enabled, listen, defaultListen, discovery, autoFallback, requestTimeoutSecs, peers, nodeName, identityFile } = config.mesh
  assert.deepEqual({ enabled, listen, defaultListen }, { enabled: true, listen: ['/ip4/0.0.0.0/tcp/9000'], defaultListen: false })
  assert.deepEqual({ discovery, autoFallback, requestTimeoutSecs }, { discovery: ['mdns'], autoFallback: false, requestTimeoutSecs: 300 })
  assert.deepEqual(peers, [{ ...peer('dev-gpu', '/ip4/192.168.1.100/tcp/9000'), requestTimeoutSecs: 300 }])
  assert.deepEqual({ nodeName, identityFile }, { nodeName: 'laptop', identityFile: '/nowhere/mesh_identity.key' })
  assert.deepEqual(notices, [])
})

test('manual peers: without enabled, [mesh] means enabled; discovery "none" finds nobody else', async () => {
  const { config, notices } = await loaded('manual-peers')
  assert.equal(config.mesh.enabled, true)
  assert.deepEqual(config.mesh.discovery, [])
  assert.deepEqual({ listen: config.mesh.listen, defaultListen: config.mesh.defaultListen }, { listen: [], defaultListen: true })
  assert.deepEqual(
    config.mesh.peers.map(({ name, addr }) => [name, addr]),
    [
      ['server1', '/ip4/192.168.1.100/tcp/9000'],
      ['server2', '/ip4/192.168.1.101/tcp/9000'],
    ],
  )
  assert.deepEqual(notices, [])
})

test('remote agents: [[mesh.peers]] alone enables the mesh, the agent is the peer’s', async () => {
  const { config, notices } = await loaded('remote-agents')
  assert.equal(config.mesh.enabled, true)
  assert.deepEqual(agentSpecsOf(config).at(-1), {
    id: 'gpu-coder',
    name: 'GPU Coder',
    description: 'Coder running on GPU server with fast model',
    kind: 'remote',
    capabilities: ['gpu', 'fast-model'],
    target: { kind: 'peer', peer: 'gpu-server' },
  })
  assert.deepEqual(notices, [])
})

test('remote delegate: its model runs on the peer; a peer that is not listed is a warning', async () => {
  const { config, notices } = await loaded('remote-delegate')
  assert.equal(config.mesh.enabled, false)
  assert.deepEqual(agentSpecsOf(config).at(-1), {
    id: 'remote-coder',
    name: 'remote-coder',
    description: 'Coder on remote GPU machine',
    kind: 'delegate',
    model: 'anthropic/claude-sonnet-4-5-20250929',
    tools: TOOLS,
    capabilities: [],
    target: { kind: 'peer', peer: 'gpu-server' },
  })
  assert.deepEqual(notices, [
    'remote-delegate.toml:6:8: warning: delegates[0].peer: "gpu-server" is not the name of one of [[mesh.peers]]; there is no [mesh] table',
  ])
})

test('GPU coding: [mesh] and [[delegates]] without a planner make the built-in agent the planner', async () => {
  const { config, notices } = await loaded('gpu-coding')
  const [main, delegate, ...others] = agentSpecsOf(config)
  assert.equal(defaultAgentId(config), 'default')
  assert.deepEqual([main?.id, main?.name, main?.kind, main?.target], ['default', 'Coder', 'local', { kind: 'local' }])
  assert.deepEqual(
    [delegate?.id, delegate?.model, delegate?.target],
    ['gpu-coder', 'anthropic/claude-sonnet-4', { kind: 'peer', peer: 'gpu-server' }],
  )
  assert.deepEqual([others, notices], [[], []])
})

test('load distribution: two workers, found by kademlia', async () => {
  const { config, notices } = await loaded('load-distribution')
  assert.deepEqual(config.mesh.discovery, ['kademlia'])
  assert.deepEqual(config.mesh.peers, [
    { ...peer('worker1', '/ip4/10.0.0.1/tcp/9000'), requestTimeoutSecs: undefined },
    { ...peer('worker2', '/ip4/10.0.0.2/tcp/9000'), requestTimeoutSecs: undefined },
  ])
  assert.deepEqual(notices, [])
})

test('full mesh: peers, a remote agent and a delegate together', async () => {
  const { config, notices } = await loaded('full-mesh')
  assert.equal(config.mesh.requestTimeoutSecs, 300)
  assert.deepEqual(
    config.mesh.peers.map(({ name, requestTimeoutSecs }) => [name, requestTimeoutSecs]),
    [
      ['dev-gpu', undefined],
      ['build-server', undefined],
    ],
  )
  assert.deepEqual(
    agentSpecsOf(config).map(({ id, kind, target }) => ({ id, kind, target })),
    [
      { id: 'default', kind: 'local', target: { kind: 'local' } },
      { id: 'gpu-coder-delegate', kind: 'delegate', target: { kind: 'peer', peer: 'dev-gpu' } },
      { id: 'gpu-coder', kind: 'remote', target: { kind: 'peer', peer: 'dev-gpu' } },
    ],
  )
  assert.deepEqual(notices, [])
})
