import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerInfo } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { makeNode, newHome, startNode } from '../../testing/mesh-kit.ts'
import type { TestNode } from '../../testing/mesh-kit.ts'
import { NO_NAT } from '../nat-options.ts'

const infoOf = async (at: TestNode, of: TestNode): Promise<PeerInfo | undefined> =>
  (await at.node.peers.list()).find(({ peerId }) => peerId === of.peerId)

/** Two nodes that listen nowhere, and the relay between them. */
async function meeting(options: { punch: [boolean, boolean]; serve?: boolean }) {
  await using made = new AsyncDisposableStack()
  const relay = made.use(await startNode({ name: 'relay', nat: { ...NO_NAT, serve: true } }))
  const homes = [await newHome(), await newHome()]
  const ids = await Promise.all(homes.map(async (home, at) => (await makeNode({ name: `n${at}`, home })).node.peerId))
  for (const id of ids) await relay.node.trust.admit(id, { role: 'client' })
  const nodes: TestNode[] = []
  for (const [at, home] of homes.entries()) {
    const nat = { ...NO_NAT, relays: [relay.address], punch: options.punch[at] ?? true }
    const peers = [{ name: `n${1 - at}`, peerId: ids[1 - at] }]
    nodes.push(made.use(await startNode({ name: `n${at}`, home, listen: [], nat, peers })))
  }
  const [a, b] = nodes
  assert.ok(a && b)
  const owned = made.move()
  return { relay, a, b, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

test('two nodes that nobody can dial open a way to each other over their relay, and are shown at their far addresses', async () => {
  await using met = await meeting({ punch: [true, true] })
  const { a, b, relay } = met
  for (const [at, of] of [[a, b] as const, [b, a] as const]) {
    const info = await eventually(`${at.node.name} is linked directly`, async () => {
      const found = await infoOf(at, of)
      return found?.state === 'connected' && !found.relayed ? found : undefined
    })
    assert.equal(info.punched, true)
    assert.match(info.address ?? '', /^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1$/)
    assert.equal((await at.node.peers.status()).nat?.seen?.nat, 'none') // on the loopback
  }
  assert.equal((await relay.node.peers.status()).nat?.serves?.stun?.length, 2)
})

test('where one side opens no ways, both stay relayed and say why', async () => {
  await using met = await meeting({ punch: [true, false] })
  const { a, b } = met
  const reasons = [
    [a, b, /^it opens no NATs/],
    [b, a, /^this node opens no NATs/],
  ] as const
  for (const [at, of, reason] of reasons) {
    const info = await eventually(`${at.node.name} says why`, async () => {
      const found = await infoOf(at, of)
      return found?.relayedBecause === undefined ? undefined : found
    })
    assert.equal(info.relayed, true)
    assert.match(info.relayedBecause ?? '', reason)
  }
})
