import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { Connection, IdentifyResult } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { systemClock } from '@qmtcode/protocol'
import type { ModelOffer, Models } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { KAD_PROTOCOL } from './discovery/kademlia.ts'
import { HANDSHAKE_PROTOCOL } from './handshake/hello.ts'
import { loadIdentity } from './identity/identity-file.ts'
import { createLibp2pHost } from './libp2p-host.ts'
import { IDENTIFY_PROTOCOL } from './links/discreet-identify.ts'
import { PING_PROTOCOL, answerPings } from './links/ping.ts'
import { NO_NAT } from './nat/nat-options.ts'
import { connected, newHome, startNode, startPair } from './testing/mesh-kit.ts'
import { EACH_LINE, PLAIN_LINES, plainNode } from './testing/plain-node.ts'
import type { PlainNode } from './testing/plain-node.ts'
import { fate, idOf } from './testing/stranger.ts'

/** The transports' side of our node, as the mesh makes it, without who may what. */
async function ourHost() {
  const key = await loadIdentity(`${await newHome()}/mesh_identity.key`)
  const host = await createLibp2pHost(
    { clock: systemClock, key, gater: {}, isTrusted: () => false, onOpen: () => undefined, onClose: () => undefined },
    { version: '0.1.0', addressDialMs: 5_000, quic: true },
  )
  await host.libp2p.handle(PING_PROTOCOL, (stream) => answerPings(stream))
  await host.libp2p.start()
  return Object.assign(host, { [Symbol.asyncDispose]: async () => await host.stop() })
}

for (const line of PLAIN_LINES) {
  test(`js-libp2p at its defaults dials us over ${line.name}: ping and identify`, async () => {
    await using b = await startNode({ name: 'b', listen: [line.listen] })
    await using plain = await plainNode(line)
    const connection = await plain.dial(multiaddr(b.address))
    assert.equal(connection.encryption, line.name === 'QUIC' ? 'native' : line.encrypter === 'tls' ? '/tls/1.0.0' : '/noise')
    assert.ok((await plain.services.ping.ping(peerIdFromString(b.peerId))) >= 0)
    const told = await identified(plain, connection)
    assert.equal(told.peerId.toString(), b.peerId)
    assert.equal(told.agentVersion, 'qmtcode/0.1.0')
  })

  test(`we dial js-libp2p at its defaults over ${line.name}: ping and identify`, async () => {
    await using plain = await plainNode(line)
    await using host = await ourHost()
    const identified = new Promise<string[]>((resolve) => {
      host.libp2p.addEventListener('peer:identify', ({ detail }) => resolve(detail.protocols), { once: true })
    })
    const connection = await host.libp2p.dial(plain.getMultiaddrs())
    assert.equal(connection.remotePeer.toString(), idOf(plain))
    assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
    assert.ok((await identified).includes(KAD_PROTOCOL))
  })
}

test('a configured peer that is a plain libp2p node is said to be one', async () => {
  await using plain = await plainNode()
  await using a = await startNode({ name: 'a', peers: [{ name: 'plain', addr: plain.getMultiaddrs()[0]?.toString() ?? '' }] })
  await eventually('its problem is told', async () =>
    (await a.node.peers.list()).some((peer) => /it is a libp2p node, but no qmtcode/.test(peer.problem ?? '')),
  )
})

test('identify tells a stranger three protocols and no address; once admitted, all', async () => {
  await using b = await startNode({ name: 'b', models: NO_MODELS, discovery: ['kademlia'] })
  await using plain = await plainNode()
  const connection = await plain.dial(multiaddr(b.address))
  const asStranger = await identified(plain, connection)
  assert.deepEqual(asStranger.protocols.toSorted(), [HANDSHAKE_PROTOCOL, IDENTIFY_PROTOCOL, PING_PROTOCOL].toSorted())
  assert.deepEqual(asStranger.listenAddrs, [])
  assert.equal(asStranger.signedPeerRecord, undefined)
  await b.node.trust.admit(idOf(plain), { role: 'observer' })
  const admitted = await identified(plain, connection)
  assert.ok(admitted.protocols.includes('/qmt/directory/1'))
  assert.equal(admitted.listenAddrs.length, 1)
})

for (const line of EACH_LINE) {
  test(`a stranger that speaks perfect libp2p over ${line.name} opens none of the protocols that an admitted peer is told of`, async () => {
    await using b = await startNode({
      name: 'b',
      listen: [line.listen],
      models: NO_MODELS,
      discovery: ['kademlia'],
      nat: { ...NO_NAT, serve: true },
    })
    await using friend = await plainNode(line)
    await using plain = await plainNode(line)
    await b.node.trust.admit(idOf(friend), { role: 'admin' })
    const { protocols } = await identified(friend, await friend.dial(multiaddr(b.address)))
    const ours = protocols.filter(
      (protocol) => protocol !== IDENTIFY_PROTOCOL && protocol !== PING_PROTOCOL && protocol !== HANDSHAKE_PROTOCOL,
    )
    assert.ok(ours.length >= 5, ours.join(' '))
    const connection = await plain.dial(multiaddr(b.address))
    assert.ok(ours.includes(RELAY_V2_HOP_CODEC) && ours.includes(RELAY_V2_STOP_CODEC), ours.join(' '))
    // Over QUIC a reset looks like an end.
    for (const protocol of ours)
      assert.match(await fate(connection, protocol, new Uint8Array(64)), line.name === 'QUIC' ? /reset|closed/ : /reset/, protocol)
    assert.equal(connection.status, 'open')
  })

  test(`Kademlia of js-libp2p over ${line.name} finds a third node through us once it is admitted, and not before`, async () => {
    const kad = { discovery: ['kademlia' as const], listen: [line.listen] }
    await using pair = await startPair({ a: kad, b: kad })
    await using plain = await plainNode(line)
    const find = async (): Promise<string[]> => {
      const found = await findPeer(plain.services.kad, pair.a.peerId)
      return found.map((address) => address.replace(/\/p2p\/.*/, ''))
    }
    const first = await plain.dial(multiaddr(pair.b.address))
    await identified(plain, first)
    assert.deepEqual(await find(), [])
    await pair.b.node.trust.admit(idOf(plain), { role: 'observer' })
    await identified(plain, first)
    await eventually('a is found', async () => (await find()).length > 0)
    assert.deepEqual(await find(), [pair.a.address.replace(/\/p2p\/.*/, '')])
  })
}

test('two of ours that meet as strangers use Kademlia together once one is admitted, without a new connection', async () => {
  const kad = { discovery: ['kademlia' as const] }
  await using hub = await startNode({ name: 'hub', ...kad })
  await using far = await startNode({ name: 'far', peers: [{ name: 'hub', addr: hub.address }], ...kad })
  await hub.node.trust.admit(far.peerId)
  await connected(far, hub)
  await using near = await startNode({
    name: 'near',
    peers: [
      { name: 'hub', addr: hub.address },
      { name: 'far', peerId: far.peerId },
    ],
    ...kad,
  })
  await far.node.trust.admit(near.peerId)
  await eventually('near knocked', async () => (await hub.node.peers.list()).some((peer) => peer.peerId === near.peerId))
  await hub.node.trust.admit(near.peerId)
  await connected(near, far)
})

const NO_MODELS: Models = {
  offers: () => Promise.resolve([] as ModelOffer[]),
  async *stream() {},
}

/** What the other side tells of itself. It answers one request at a time, and the library has asked by itself when the connection opened. */
const identified = (by: PlainNode, connection: Connection): Promise<IdentifyResult> =>
  eventually('identify', async () => await by.services.identify.identify(connection).catch(() => undefined))

async function findPeer(kad: KadDHT, peerId: string): Promise<string[]> {
  try {
    for await (const event of kad.findPeer(peerIdFromString(peerId), { useCache: false, signal: AbortSignal.timeout(5_000) })) {
      if (event.name === 'FINAL_PEER') return event.peer.multiaddrs.map(String)
    }
  } catch {
    // Nobody to ask, or nobody that knows: not found.
  }
  return []
}
