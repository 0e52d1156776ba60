import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { isAppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import type { NodeRecord } from './directory/record.ts'
import { gossipContract } from './gossip/contract.ts'
import { signEntry } from './gossip/entry.ts'
import type { GossipEntry } from './gossip/types.ts'
import { HANDSHAKE_PROTOCOL, encodeHello } from './handshake/hello.ts'
import { createRpcClient } from './rpc/client.ts'
import { libp2pStream } from './rpc/streams/libp2p.ts'
import { startNode } from './testing/mesh-kit.ts'
import type { TestNode } from './testing/mesh-kit.ts'
import { HELLO, dial, fate, idOf, stranger } from './testing/stranger.ts'

const NODES = Number(process.env['QMT_MADE_UP_NODES'] ?? '1500')
const MAX_HEARD = 1_000

const greet = async (connection: Connection, name: string): Promise<void> => {
  const hello = { ...HELLO, name, state: 'admitted' as const, role: 'member' as const, services: ['gossip'] }
  assert.match(await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(hello)), /^answered/)
}
const gossipOver = (connection: Connection) =>
  createRpcClient({
    open: async (protocolId, { signal }) => libp2pStream(await connection.newStream(protocolId, { signal }), connection),
  }).client(gossipContract)

const partnered = (gossip: ReturnType<typeof gossipOver>): Promise<unknown> =>
  eventually('entries are exchanged', () =>
    gossip.summary({}).then(
      () => true,
      () => false,
    ),
  )

async function madeUpNode(name: string): Promise<GossipEntry> {
  const key = await generateKeyPair('Ed25519')
  const self = peerIdFromPrivateKey(key).toString() as PeerId
  const record: NodeRecord = {
    peerId: self,
    version: 1,
    name,
    software: '1',
    models: [],
    agents: [],
    labels: [],
    sessions: 0,
    addresses: ['/ip4/10.1.1.1/tcp/1'],
  }
  return await signEntry('nodes', { key: self, version: 1, payload: JSON.stringify(record) }, { key, self })
}
const listed = async ({ node }: TestNode): Promise<number> => (await node.peers.list()).length

test(`a member that makes up ${NODES} nodes: a bounded number is held, none is dialled, and another peer's calls go on`, async (context) => {
  await using node = await startNode({ name: 'here' })
  await using member = await stranger()
  await using friend = await stranger()
  await node.node.trust.admit(idOf(member), { role: 'member' })
  await node.node.trust.admit(idOf(friend), { role: 'member' })
  const [bad, good] = [await dial(member, node), await dial(friend, node)]
  await greet(bad, 'bad')
  await greet(good, 'good')
  const gossip = gossipOver(bad)
  await partnered(gossip)
  const friendly = gossipOver(good)
  await partnered(friendly)
  const before = process.memoryUsage().rss
  let refused = 0
  for (let made = 0; made < NODES; made += 100) {
    const entries = await Promise.all(Array.from({ length: 100 }, (_, at) => madeUpNode(`n${made + at}`)))
    await gossip.push({ set: 'nodes', entries }).catch((error: unknown) => {
      assert.ok(isAppError(error, 'rate_limited'), String(error))
      refused += 1
    })
    assert.ok((await friendly.summary({})).sets.length > 0)
  }
  const held = await listed(node)
  context.diagnostic(`${held} held, ${refused} pushes refused, ${Math.round((process.memoryUsage().rss - before) / 1e6)} MB`)
  assert.ok(held > 100 && held <= MAX_HEARD + 2, `${held} held`)
  assert.equal(
    node.events.some(({ type }) => type === 'peer.refused'),
    false,
  )
  await assert.rejects(node.node.peers.resolve('n7'), { code: 'not_found' })
})

test('64 KiB and more, an old version, and a record of another are not taken, and forging goes unheard', async () => {
  await using node = await startNode({ name: 'here' })
  await using member = await stranger()
  await node.node.trust.admit(idOf(member), { role: 'member' })
  const connection = await dial(member, node)
  await greet(connection, 'bad')
  const gossip = gossipOver(connection)
  await partnered(gossip)
  const real = await madeUpNode('real')
  const other = await madeUpNode('other')
  await gossip.push({ set: 'nodes', entries: [real] })
  const before = await listed(node)
  await gossip.push({
    set: 'nodes',
    entries: [
      { ...real, version: 0 },
      { ...real, version: 9 },
      { ...real, payload: 'x'.repeat(65_537) },
      { ...other, key: real.key },
      { ...other, payload: real.payload },
    ],
  })
  assert.equal(await listed(node), before)
  await assert.rejects(gossip.push({ set: 'nodes', entries: [{ ...real, payload: 'x'.repeat(300_000) }] }), { code: 'bad_request' })
})

test('a name stays with its bearer while that is off: another that claims it gets neither the name nor what is meant for it', async () => {
  await using node = await startNode({ name: 'here' })
  await using bearer = await stranger()
  await using thief = await stranger()
  await node.node.trust.admit(idOf(bearer), { role: 'member' })
  await node.node.trust.admit(idOf(thief), { role: 'member' })
  await greet(await dial(bearer, node), 'worker')
  await eventually('the name', () => node.node.peers.resolve('worker').catch(() => undefined))
  await bearer.stop()
  await eventually(
    'it is off',
    async () => (await node.node.peers.list()).find(({ peerId }) => peerId === idOf(bearer))?.state === 'offline',
  )
  await greet(await dial(thief, node), 'worker')
  await eventually(
    'the thief is here',
    async () => (await node.node.peers.list()).find(({ peerId }) => peerId === idOf(thief))?.state === 'connected',
  )
  const { peerId } = await node.node.peers.resolve('worker')
  assert.equal(peerId, idOf(bearer))
  assert.notEqual((await node.node.peers.list()).find((peer) => peer.peerId === idOf(thief))?.name, 'worker')
})
