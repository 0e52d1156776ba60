import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerInfo } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { startGossipers } from '../testing/gossip-kit.ts'
import type { Gossiper } from '../testing/gossip-kit.ts'

const LINE: [string, string][] = [
  ['A', 'B'],
  ['B', 'C'],
]
const infoOf = async (at: Gossiper, of: Gossiper): Promise<PeerInfo | undefined> =>
  (await at.node.peers.list()).find((peer) => peer.peerId === of.peerId)

test('A learns the record of C from B: name, agents, sessions, addresses; it is no peer of A, and is not dialled', async () => {
  await using mesh = await startGossipers(['A', 'B', 'C'], { links: LINE })
  const [a, b, c] = [mesh.get('A'), mesh.get('B'), mesh.get('C')]
  const agents = [{ id: 'coder', name: 'Coder', description: 'codes', capabilities: ['code'] }]
  c.node.advertise({ models: [], agents, labels: ['gpu'], sessions: 7 })
  const info = await eventually('the record of C at A', async () => {
    const seen = await infoOf(a, c)
    return seen?.sessions === 7 ? seen : undefined
  })
  assert.deepEqual([info.name, info.state, info.trust, info.use, info.agents], ['C', 'offline', 'unknown', false, ['coder']])
  assert.deepEqual(info.addresses, [c.address])
  assert.equal(info.heard?.via, b.peerId)
  assert.deepEqual(a.node.gossip.partners(), [b.peerId])
  // A name that only gossip told means nobody.
  await assert.rejects(a.node.peers.resolve('C'), { code: 'not_found' })
})

test('a member that is admitted here, and that gossip told the address of, is linked', async () => {
  await using mesh = await startGossipers(['A', 'B', 'C'], { links: LINE })
  const [a, c] = [mesh.get('A'), mesh.get('C')]
  await eventually('the record of C at A', () => infoOf(a, c))
  await eventually('the record of A at C', () => infoOf(c, a))
  await a.node.trust.admit(c.peerId, { role: 'member' })
  await c.node.trust.admit(a.peerId, { role: 'member' })
  await eventually(
    'A and C exchange entries',
    () => a.node.gossip.partners().includes(c.peerId) && c.node.gossip.partners().includes(a.peerId),
  )
  assert.equal((await a.node.peers.resolve('C')).peerId, c.peerId)
})

test('a node that nobody hears of is forgotten everywhere, though each node forgets at a time of its own', async () => {
  const gossip = { coalesceMs: 5, digestMs: 100, retryMs: 50, refreshMs: 100, silentMs: 1_500 }
  await using mesh = await startGossipers(['A', 'B', 'C'], { links: LINE, node: { gossip } })
  const [a, b, c] = [mesh.get('A'), mesh.get('B'), mesh.get('C')]
  await eventually('C at A', async () => (await infoOf(a, c))?.heard)
  await c.node.stop()
  await eventually('C forgotten at A', async () => (await infoOf(a, c)) === undefined)
  await eventually('C forgotten at B', async () => (await infoOf(b, c))?.hasRecord === false)
})

test('a ban at B stops what C says there: nothing of it is kept, nothing is forwarded', async () => {
  await using mesh = await startGossipers(['A', 'B', 'C'], { links: LINE })
  const [a, b, c] = [mesh.get('A'), mesh.get('B'), mesh.get('C')]
  await eventually('C at A', () => infoOf(a, c))
  await b.node.trust.ban(c.peerId)
  assert.deepEqual(b.texts.ofAuthor(c.peerId), [])
  // A still has what it heard; nothing of B's digest speaks of C any more.
  c.node.advertise({ models: [], agents: [], labels: [], sessions: 9 })
  await c.say('x', 'banned')
  await b.say('after', 'the ban')
  await eventually('B at A', () => a.texts.read(`${b.peerId}/after`))
  assert.equal(a.texts.ofAuthor(c.peerId).length, 0)
  assert.notEqual((await infoOf(a, c))?.sessions, 9)
})
