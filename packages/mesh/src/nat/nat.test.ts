import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { PeerId, PeerInfo } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { connected, makeNode, newHome, startNode } from '../testing/mesh-kit.ts'
import type { TestNode, TestNodeOptions } from '../testing/mesh-kit.ts'
import { dial, fate, stranger } from '../testing/stranger.ts'
import { NO_NAT } from './nat-options.ts'

const infoOf = async (at: TestNode, peerId: PeerId): Promise<PeerInfo | undefined> =>
  (await at.node.peers.list()).find((peer) => peer.peerId === peerId)
const reserved = (node: TestNode): Promise<unknown> =>
  eventually(`${node.node.name} has a place at a relay`, async () =>
    (await node.node.peers.status()).nat?.relays.some((relay) => relay.reserved),
  )

/** Somebody who listens nowhere, and knows a relay. */
async function hidden(name: string, relay: TestNode, options: TestNodeOptions = {}): Promise<TestNode> {
  const made = await makeNode({ name, home: options.home })
  await relay.node.trust.admit(made.node.peerId, { role: 'client' })
  return await startNode({ name, listen: [], nat: { ...NO_NAT, relays: [relay.address] }, ...options, home: made.home })
}

test('two nodes that listen nowhere are linked over a relay, and shown as relayed', async () => {
  await using relay = await startNode({ name: 'relay', nat: { ...NO_NAT, serve: true } })
  await using b = await hidden('b', relay)
  await reserved(b)
  const home = await newHome()
  const made = await makeNode({ name: 'a', home })
  await b.node.trust.admit(made.node.peerId, { role: 'client' })
  const address = `${relay.address}/p2p-circuit/p2p/${b.peerId}`
  await using a = await hidden('a', relay, { home, peers: [{ name: 'b', addr: address }] })
  await connected(a, b)
  const info = await infoOf(a, b.peerId)
  assert.equal(info?.relayed, true)
  assert.match(info?.address ?? '', /p2p-circuit$/)
  assert.equal((await infoOf(a, relay.peerId))?.relayed, false)
})

test('a look at an address over a relay dials over it, and says what is missing where that fails', async () => {
  await using relay = await startNode({ name: 'relay', nat: { ...NO_NAT, serve: true } })
  await using a = await hidden('a', relay)
  await using b = await hidden('b', relay)
  await Promise.all([reserved(a), reserved(b)])
  const way = `${relay.address}/p2p-circuit`
  const found = await a.node.diagnosis.peer(`${way}/p2p/${b.peerId}`, { brief: true })
  assert.deepEqual(
    found.dials.map(({ outcome, peerId }) => [outcome, peerId]),
    [['answered', b.peerId]],
  )
  const [nameless] = (await a.node.diagnosis.peer(way, { brief: true })).dials
  assert.deepEqual([nameless?.outcome, /needs the id of the peer/.test(nameless?.detail ?? '')], ['not_tried', true])
  const absent = await makeNode({ name: 'absent' })
  await relay.node.trust.admit(absent.node.peerId, { role: 'client' })
  const [missing] = (await a.node.diagnosis.peer(`${way}/p2p/${absent.node.peerId}`, { brief: true })).dials
  assert.equal(missing?.outcome, 'failed')
  assert.match(missing?.detail ?? '', /the relay \S+ answers; the peer has no place at it/)
})

test('a direct connection takes over from a relayed one, which then goes', async () => {
  await using relay = await startNode({ name: 'relay', nat: { ...NO_NAT, serve: true } })
  const home = await newHome()
  const made = await makeNode({ name: 'b', home })
  await relay.node.trust.admit(made.node.peerId, { role: 'client' })
  await using b = await startNode({ name: 'b', home, nat: { ...NO_NAT, relays: [relay.address] } })
  await reserved(b)
  const homeOfA = await newHome()
  const other = await makeNode({ name: 'a', home: homeOfA })
  await b.node.trust.admit(other.node.peerId, { role: 'client' })
  const address = `${relay.address}/p2p-circuit/p2p/${b.peerId}`
  await using a = await hidden('a', relay, { home: homeOfA, peers: [{ name: 'b', addr: address }] })
  await connected(a, b)
  await eventually('it is direct', async () => (await infoOf(a, b.peerId))?.relayed === false)
  assert.ok(!(await infoOf(a, b.peerId))?.address?.includes('p2p-circuit'))
  await eventually('the relay carries nothing', async () => (await relay.node.peers.status()).nat?.serves?.circuits === 0)
  assert.equal((await infoOf(a, b.peerId))?.state, 'connected')
})

test('a place at a relay comes back after the relay was away', async () => {
  const home = await newHome()
  const first = await startNode({ name: 'relay', home, nat: { ...NO_NAT, serve: true } })
  await using b = await hidden('b', first)
  await reserved(b)
  const [, listen = ''] = /^(.*)\/p2p\//.exec(first.address) ?? []
  await first[Symbol.asyncDispose]()
  await eventually('it is gone', async () => (await b.node.peers.status()).nat?.relays.every((relay) => !relay.reserved))
  await using second = await startNode({ name: 'relay', home, listen: [listen], nat: { ...NO_NAT, serve: true } })
  assert.equal(second.peerId, first.peerId)
  await reserved(b)
})

test('a stranger gets no place at a relay: its stream is reset unread', async () => {
  await using relay = await startNode({ name: 'relay', nat: { ...NO_NAT, serve: true } })
  await using node = await stranger()
  const connection = await dial(node, relay)
  assert.equal(await fate(connection, RELAY_V2_HOP_CODEC, new Uint8Array([2, 8, 0])), 'reset')
  assert.equal((await relay.node.peers.status()).nat?.serves?.reservations, 0)
})
