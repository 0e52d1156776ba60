import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { eventually } from '@qmtcode/testing'
import { makeNode, startNode } from '../testing/mesh-kit.ts'
import type { TestNode, TestNodeOptions } from '../testing/mesh-kit.ts'
import { EACH_LINE, plainNode } from '../testing/plain-node.ts'
import type { PlainNode } from '../testing/plain-node.ts'
import { dial, fate, idOf } from '../testing/stranger.ts'
import { NO_NAT } from './nat-options.ts'

const SERVES = { nat: { ...NO_NAT, serve: true } }
const over = (relay: string, there: string): string => `${relay}/p2p-circuit/p2p/${there}`
const placesAt = async (relay: TestNode): Promise<number> => (await relay.node.peers.status()).nat?.serves?.reservations ?? 0
const addressOf = (node: PlainNode): string =>
  node
    .getMultiaddrs()
    .find((address) => !address.toString().includes('p2p-circuit'))
    ?.toString() ?? ''

/** A node that `by` admitted before it started. */
async function admitted(name: string, by: TestNode, options: TestNodeOptions): Promise<TestNode> {
  const made = await makeNode({ name })
  await made.node.stop()
  await by.node.trust.admit(made.node.peerId)
  return await startNode({ name, ...options, home: made.home })
}

/** js-libp2p asks for a place by listening there. */
const reserve = async (node: PlainNode, relay: string): Promise<void> =>
  await internals(node).transportManager.listen([multiaddr(`${relay}/p2p-circuit`)])
const internals = (node: PlainNode) =>
  (node as unknown as { components: { transportManager: { listen(addresses: unknown[]): Promise<void> } } }).components

/** The peer id, once connection, encryption, identity and a stream worked. */
async function saysWhatItIs(at: TestNode, name: string): Promise<string | undefined> {
  const seen = await eventually('what it is', async () =>
    (await at.node.peers.list()).find((peer) => peer.name === name && /it is a libp2p node, but no qmtcode/.test(peer.problem ?? '')),
  )
  return seen.peerId
}

for (const line of EACH_LINE) {
  test(`our relay and js-libp2p at its defaults over ${line.name}: it calls over it, has a place, and is called, once admitted`, async () => {
    await using relay = await startNode({ name: 'relay', listen: [line.listen], ...SERVES })
    await using hidden = await admitted('hidden', relay, { listen: [], nat: { ...NO_NAT, relays: [relay.address] } })
    await eventually('a place', async () => (await placesAt(relay)) === 1)
    await using plain = await plainNode(line)
    const way = multiaddr(over(relay.address, hidden.peerId))
    await assert.rejects(reserve(plain, relay.address))
    await assert.rejects(plain.dial(way))
    assert.equal(await placesAt(relay), 1)

    for (const { node } of [relay, hidden]) await node.trust.admit(idOf(plain), { role: 'observer' })
    const connection = await plain.dial(way)
    assert.equal(connection.remotePeer.toString(), hidden.peerId)
    assert.ok((await plain.services.ping.ping(peerIdFromString(hidden.peerId))) >= 0)
    await reserve(plain, relay.address)
    const address = over(relay.address, idOf(plain))
    await using caller = await admitted('caller', relay, { listen: [], peers: [{ name: 'plain', addr: address }] })
    assert.equal(await saysWhatItIs(caller, 'plain'), idOf(plain))
  })

  test(`we call over a relay of js-libp2p at its defaults over ${line.name}`, async () => {
    await using relay = await plainNode(line)
    await using there = await plainNode(line)
    await reserve(there, addressOf(relay))
    await using caller = await startNode({ name: 'caller', peers: [{ name: 'plain', addr: over(addressOf(relay), idOf(there)) }] })
    assert.equal(await saysWhatItIs(caller, 'plain'), idOf(there))
  })
}

test('a stranger with perfect relaying gets nothing of a node that relays and has a place itself: no hop, no stop, no call', async () => {
  await using relay = await startNode({ name: 'relay', ...SERVES })
  await using node = await admitted('node', relay, { nat: { ...NO_NAT, serve: true, relays: [relay.address] } })
  await eventually('a place', async () => (await placesAt(relay)) === 1)
  await using plain = await plainNode()
  const connection = await dial(plain, node)
  for (const protocol of [RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC])
    assert.equal(await fate(connection, protocol, new Uint8Array([2, 8, 0])), 'reset')
  assert.equal(connection.status, 'open')
})

test('a configured relay that is no qmtcode gives no place, and the peer list says why', async () => {
  await using relay = await plainNode()
  await using node = await startNode({ name: 'node', listen: [], nat: { ...NO_NAT, relays: [addressOf(relay)] } })
  const name = `relay-${idOf(relay).slice(-6)}`
  assert.equal(await saysWhatItIs(node, name), idOf(relay))
  const { nat, problems = [] } = await node.node.peers.status()
  assert.equal(nat?.relays[0]?.reserved, false)
  assert.ok(problems.some((problem) => problem.startsWith(`relay ${name}: `)))
})
