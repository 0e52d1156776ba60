import assert from 'node:assert/strict'
import { test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { eventually } from '@qmtcode/testing'
import { connected, makeNode, startNode } from '../testing/mesh-kit.ts'
import type { TestNode, TestNodeOptions } from '../testing/mesh-kit.ts'
import { dial, fate, idOf, stranger } from '../testing/stranger.ts'
import { KAD_PROTOCOL } from './kademlia.ts'

/** A node whose id is known before it starts, so that others can be told of it. */
async function prepared(name: string, options: TestNodeOptions = {}) {
  const { node, home } = await makeNode({ name })
  await node.stop()
  return {
    peerId: node.peerId,
    start: (more: TestNodeOptions): Promise<TestNode> => startNode({ name, home, ...options, ...more }),
  }
}

test('mdns: two nodes that know only the id of the other find each other', async () => {
  const [one, two] = [await prepared('one', { discovery: ['mdns'] }), await prepared('two', { discovery: ['mdns'] })]
  await using a = await one.start({ peers: [{ name: 'two', peerId: two.peerId }] })
  await using b = await two.start({ peers: [{ name: 'one', peerId: one.peerId }] })
  await Promise.all([connected(a, b), connected(b, a)])
})

test('mdns: an unknown node is shown with the command that admits it, and is left alone', async () => {
  await using a = await startNode({ name: 'a', discovery: ['mdns'] })
  await using b = await startNode({ name: 'b', discovery: ['mdns'] })
  const seen = await eventually('a shows b', async () => (await a.node.peers.list()).find((peer) => peer.peerId === b.peerId))
  assert.equal(seen.trust, 'unknown')
  assert.equal(seen.state, 'offline')
  assert.equal(seen.problem, `found nearby, unknown here; to let it in: qmtcode peers admit ${b.peerId}`)
  assert.match(seen.addresses[0] ?? '', /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
  assert.deepEqual(await b.node.trust.list(), [], 'nobody knocked')
})

test('none: nobody is found', async () => {
  const [one, two] = [await prepared('one'), await prepared('two', { discovery: ['mdns'] })]
  await using a = await one.start({ peers: [{ name: 'two', peerId: two.peerId }] })
  await using b = await two.start({})
  await eventually('the dial has failed', async () =>
    (await a.node.peers.list()).some((peer) => peer.peerId === b.peerId && /no address of two is known/.test(peer.problem ?? '')),
  )
})

test('kademlia: from one configured peer the address of a third is learnt, and again after it changed', async () => {
  const kad = { discovery: ['kademlia' as const] }
  const [one, three] = [await prepared('one', kad), await prepared('three', kad)]
  await using hub = await startNode({ name: 'hub', ...kad })
  for (const { peerId } of [one, three]) await hub.node.trust.admit(peerId)
  const toHub = { name: 'hub', addr: hub.address }
  await using a = await one.start({ peers: [toHub, { name: 'three', peerId: three.peerId }] })
  {
    await using c = await three.start({ peers: [toHub, { name: 'one', peerId: one.peerId }] })
    await Promise.all([connected(a, c), connected(c, a)])
  }
  // Another port: what the others know of it is wrong now.
  await using moved = await three.start({ peers: [toHub] })
  await moved.node.trust.admit(one.peerId)
  await connected(a, moved)
})

test('kademlia: strangers get no stream of it; admitted peers get addresses, and cannot leave anything behind', async () => {
  await using hub = await startNode({ name: 'hub', discovery: ['kademlia'] })
  await using node = await stranger()
  const find = message(4, peerIdFromString(hub.peerId).toMultihash().bytes)
  assert.equal(await fate(await dial(node, hub), KAD_PROTOCOL, find), 'reset')
  await using friend = await stranger()
  await hub.node.trust.admit(idOf(friend), { role: 'admin' })
  const connection = await dial(friend, hub)
  assert.match(await fate(connection, KAD_PROTOCOL, find), /^answered /)
  const [PUT_VALUE, ADD_PROVIDER] = [0, 2]
  const key = new TextEncoder().encode('/qmt/key')
  const putValue = message(PUT_VALUE, key, [0x1a, 2 + key.length + 3, 0x0a, key.length, ...key, 0x12, 1, 7])
  assert.match(await fate(connection, KAD_PROTOCOL, putValue), /^(reset|closed)$/)
  const provider = peerIdFromString(idOf(friend)).toMultihash().bytes
  const cid = new Uint8Array([0x12, 0x20, ...new Uint8Array(32).fill(5)])
  const addProvider = message(ADD_PROVIDER, cid, [0x4a, 2 + provider.length, 0x0a, provider.length, ...provider])
  assert.match(await fate(connection, KAD_PROTOCOL, addProvider, 1_000), /^(reset|closed|silent)$/)
  const GET_PROVIDERS = 3
  const empty = await fate(connection, KAD_PROTOCOL, message(GET_PROVIDERS, cid))
  assert.match(empty, /^answered ([1-9]|[1-5]\d)$/, 'a frame that holds the key and no provider')
})

/** A message of Kademlia, as its protobuf and length are written. */
function message(type: number, key: Uint8Array, more: number[] = []): Uint8Array {
  const body = [0x08, type, 0x12, key.length, ...key, ...more]
  return new Uint8Array([body.length, ...body])
}
