import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AgentSpec, RouteTarget, RoutingSnapshot } from '@qmtcode/protocol'
import { createPeersKit, readAll, SELF } from './peers-kit.ts'
import { createRoutingTable } from './routing-table.ts'

const node = { name: 'me', peerId: SELF }
const agent = (id: string, target: RouteTarget): AgentSpec => ({ id, name: id, description: '', kind: 'local', capabilities: [], target })
const AGENTS = [agent('planner', { kind: 'local' }), agent('coder', { kind: 'peer', peer: 'gpu' }), agent('scout', { kind: 'any' })]

test('has a policy for each agent before it knows any peer', () => {
  const snapshot = createRoutingTable({ node }, AGENTS).load()
  assert.deepEqual(snapshot.get('planner'), {
    agentId: 'planner',
    providerTarget: { kind: 'local' },
    resolvedProviderNodeId: SELF,
    reason: 'models of this node',
  })
  assert.match(snapshot.get('coder')?.reason ?? '', /no peer "gpu" is known/)
  assert.equal(snapshot.get('nobody'), undefined)
  assert.equal(snapshot.policies().length, 3)
})

test('new snapshots follow the peers; old ones stay as they were', async () => {
  const kit = createPeersKit()
  await using table = createRoutingTable({ node, peers: kit.peers }, AGENTS)
  await table.start()
  const before = table.load()
  const changes = table.follow()[Symbol.asyncIterator]()
  const next = async (): Promise<RoutingSnapshot> => (await changes.next()).value as RoutingSnapshot
  assert.equal(await next(), before)

  const peerId = kit.set('gpu', { info: { state: 'offline', problem: 'connection refused' } })
  const away = (await next()).get('coder')
  assert.equal(away?.resolvedProviderNodeId, peerId)
  assert.match(away?.reason ?? '', /offline: connection refused/)

  kit.set('gpu', {})
  assert.equal((await next()).get('coder')?.reason, 'gpu is connected')
  kit.set('gpu', { info: { use: false } })
  assert.match((await next()).get('coder')?.reason ?? '', /qmtcode peers use gpu/)
  assert.equal(before.get('coder')?.resolvedProviderNodeId, undefined)
})

test('stopping ends its followers, and may be done twice', async () => {
  const table = createRoutingTable({ node, peers: createPeersKit().peers }, AGENTS)
  await table.start()
  const seen = readAll(table.follow())
  await table.stop()
  await table.stop()
  assert.ok((await seen).length <= 1)
})
