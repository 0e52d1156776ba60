import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { modelsContract, protocolIdOf, silentLogger } from '@qmtcode/protocol'
import type { Logger, Models } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { directoryContract } from './directory/contract.ts'
import { HANDSHAKE_PROTOCOL, createHelloReader, encodeHello } from './handshake/hello.ts'
import { PING_PROTOCOL } from './links/ping.ts'
import { eventOf, startNode } from './testing/mesh-kit.ts'
import { HELLO, dial, fate, idOf, stranger } from './testing/stranger.ts'

const MODELS = protocolIdOf(modelsContract)
const DIRECTORY = protocolIdOf(directoryContract)

/** Counts what reaches its handlers. */
function countedModels(): Models & { calls: number } {
  const models = {
    calls: 0,
    offers: () => {
      models.calls += 1
      return Promise.resolve([])
    },
    // eslint-disable-next-line require-yield
    async *stream() {
      models.calls += 1
    },
  }
  return models
}

test('an unknown peer gets identify, ping and the handshake, and nothing else', async () => {
  const models = countedModels()
  await using b = await startNode({ name: 'b', models })
  await using node = await stranger()
  const connection = await dial(node, b)
  assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  assert.match(await fate(connection, '/ipfs/id/1.0.0'), /^answered/)
  assert.match(await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO)), /^answered/)
  for (const protocolId of [
    MODELS,
    DIRECTORY,
    '/qmt/sessions/1',
    '/ipfs/id/push/1.0.0',
    '/ipfs/kad/1.0.0',
    '/libp2p/circuit/relay/0.2.0/hop',
  ]) {
    assert.equal(await fate(connection, protocolId, new Uint8Array(200)), 'reset', protocolId)
  }
  assert.equal(models.calls, 0)
  assert.equal(connection.status, 'open')
})

test('an admitted peer gets what its role covers', async () => {
  await using b = await startNode({ name: 'b', models: countedModels() })
  await using node = await stranger('noise')
  await b.node.trust.admit(idOf(node), { role: 'observer' })
  const connection = await dial(node, b)
  assert.equal(await fate(connection, MODELS), 'reset')
  assert.equal(await fate(connection, DIRECTORY, undefined, 300), 'silent')
  await b.node.trust.setRole(idOf(node), 'client')
  assert.equal(await fate(connection, MODELS, undefined, 300), 'silent')
})

test('a peer has eight connections at most: the oldest gives way, and others keep theirs', async () => {
  await using b = await startNode({ name: 'b' })
  await using other = await stranger()
  await using greedy = await stranger()
  await b.node.trust.admit(idOf(other), { role: 'observer' })
  await b.node.trust.admit(idOf(greedy), { role: 'observer' })
  const kept = await dial(other, b)
  const many: Connection[] = []
  for (let i = 0; i < 12; i += 1) many.push(await greedy.dial(multiaddr(b.address), { force: true }))
  await eventually('four are closed', () => many.filter((connection) => connection.status === 'open').length === 8)
  assert.deepEqual(
    many.slice(0, 4).map((connection) => connection.status === 'open'),
    [false, false, false, false],
  )
  assert.equal(await fate(kept, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
})

test('an admitted peer that breaks the protocol on twenty streams loses its connection, and may come again', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger()
  await b.node.trust.admit(idOf(node), { role: 'observer' })
  const connection = await dial(node, b)
  const garbage = new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')
  for (let i = 0; i < 19; i += 1) assert.equal(await fate(connection, DIRECTORY, garbage), 'reset')
  assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  await fate(connection, DIRECTORY, garbage)
  await eventually('it is cut', () => connection.status !== 'open')
  assert.equal(await fate(await dial(node, b), PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
})

test('a refused stream is logged once a connection, however often it is tried', async () => {
  const lines: string[] = []
  const log: Logger = { ...silentLogger, info: (message) => lines.push(message), child: () => log }
  await using b = await startNode({ name: 'b', log, models: countedModels() })
  await using node = await stranger()
  const connection = await dial(node, b)
  for (let i = 0; i < 5; i += 1) assert.equal(await fate(connection, MODELS, new Uint8Array(9)), 'reset')
  assert.deepEqual(lines, ['refused a stream'])
})

test('a banned peer gets no connection, either way', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger()
  await b.node.trust.ban(idOf(node))
  const connection = await dial(node, b).catch(() => undefined)
  if (connection) await eventually('it is closed', () => connection.status !== 'open')
  assert.equal(await b.node.peers.list().then((list) => list.find((peer) => peer.peerId === idOf(node))?.state), 'offline')
})

test('a ban closes the connection that is open', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger()
  await b.node.trust.admit(idOf(node))
  const connection = await dial(node, b)
  assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  await b.node.trust.ban(idOf(node))
  await eventually('it is closed', () => connection.status !== 'open', 1_000)
})

for (const [what, bytes] of [
  ['an oversized length', new Uint8Array([0, 1, 0, 0, 1, 2, 3])],
  ['more than a frame may hold', new Uint8Array(100_000)],
  ['garbage', new TextEncoder().encode('\0\0\0\x05hello')],
  ['a deep nest', encodeFrame('['.repeat(2_000) + ']'.repeat(2_000))],
  ['a name with control characters', encodeFrame(JSON.stringify({ ...HELLO, name: '\u001B[2J' }))],
  ['another version', encodeFrame(JSON.stringify({ ...HELLO, v: 9 }))],
  ['two frames', Buffer.concat([encodeHello(HELLO), encodeHello(HELLO)])],
] as const) {
  test(`a handshake of ${what} is reset, and nothing is learnt from it`, async () => {
    await using b = await startNode({ name: 'b' })
    await using node = await stranger()
    const connection = await dial(node, b)
    assert.equal(await fate(connection, HANDSHAKE_PROTOCOL, bytes), 'reset')
    assert.deepEqual(await b.node.trust.list(), [])
    assert.equal(await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO)).then((end) => end.startsWith('answered')), true)
  })
}

test('a handshake that never comes, or comes byte by byte, is reset in time', async () => {
  await using b = await startNode({ name: 'b', timings: { handshake: 300 } })
  await using node = await stranger()
  const connection = await dial(node, b)
  assert.equal(await fate(connection, HANDSHAKE_PROTOCOL), 'reset')
  const stream = await connection.newStream(HANDSHAKE_PROTOCOL)
  const frame = encodeHello(HELLO)
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve))
  let sent = 0
  const drip = setInterval(() => {
    if (stream.writeStatus === 'writable' && sent < frame.length - 1) stream.send(frame.subarray(sent, (sent += 1)))
  }, 20)
  await closed
  clearInterval(drip)
})

test('an unknown peer has three handshakes a connection', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger()
  const connection = await dial(node, b)
  const fates: string[] = []
  for (let i = 0; i < 5; i += 1) fates.push((await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO))).replace(/ .*/, ''))
  assert.deepEqual(fates, ['answered', 'answered', 'answered', 'reset', 'reset'])
})

test('unknown peers connect at most five a second from one address, and admitted ones are not kept out by them', async () => {
  await using b = await startNode({ name: 'b' })
  const nodes = await Promise.all(Array.from({ length: 8 }, () => stranger()))
  const friend = nodes.pop()
  assert.ok(friend)
  await b.node.trust.admit(idOf(friend))
  const begun = performance.now()
  const ends = await Promise.all(
    nodes.map(async (node) => await fate(await dial(node, b), PING_PROTOCOL, new Uint8Array(32)).catch(() => 'reset')),
  )
  if (performance.now() - begun < 900) assert.ok(ends.filter((end) => end.startsWith('answered')).length <= 5, ends.join())
  assert.equal(await fate(await dial(friend, b), PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  await Promise.all([...nodes, friend].map(async (node) => await node.stop()))
})

test('a ping that is not read is bounded', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger()
  const connection = await dial(node, b)
  const stream = await connection.newStream(PING_PROTOCOL)
  stream.send(new Uint8Array(1_000_000))
  await eventually('it is reset', () => stream.status !== 'open')
})

test('bytes that are no libp2p leave the node well', async () => {
  await using b = await startNode({ name: 'b' })
  const port = Number(/tcp\/(\d+)/.exec(b.address)?.[1])
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await using node = await stranger()
  assert.equal(await fate(await dial(node, b), PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  socket.destroy()
})

test('a peer that takes the dial and says nothing is told as what it is', async () => {
  await using silent = await stranger()
  await silent.handle(HANDSHAKE_PROTOCOL, () => {})
  await using a = await startNode({
    name: 'a',
    peers: [{ name: 'b', addr: String(silent.getMultiaddrs()[0]) }],
    timings: { handshake: 300 },
  })
  const failed = (): Promise<unknown> => a.node.peers.resolve('b').then(() => a.node.peers.models(idOf(silent)).offers())
  await assert.rejects(failed, /cannot reach b at .*: it sent no handshake within 300 ms/)
})

test('a libp2p node that is no qmtcode is told as that', async () => {
  await using other = await stranger()
  await using a = await startNode({ name: 'a', peers: [{ name: 'b', addr: String(other.getMultiaddrs()[0]) }] })
  assert.match((await eventOf(a, 'peer.refused')).reason, /a libp2p node, but no qmtcode/)
})

test("a peer that claims another's name does not get it", async () => {
  await using b = await startNode({ name: 'b' })
  const [first, second] = [await stranger(), await stranger()]
  await b.node.trust.admit(idOf(first))
  await b.node.trust.admit(idOf(second))
  for (const node of [first, second]) {
    const end = await fate(await dial(node, b), HANDSHAKE_PROTOCOL, encodeHello({ ...HELLO, name: 'worker' }))
    assert.match(end, /^answered/)
  }
  assert.equal((await eventually('the name', () => b.node.peers.resolve('worker').catch(() => undefined))).peerId, idOf(first))
  await Promise.all([first.stop(), second.stop()])
})

test('the frame reader takes a hello in pieces', () => {
  const reader = createHelloReader()
  const frame = encodeHello(HELLO)
  for (let i = 0; i < frame.length - 1; i += 1) assert.equal(reader.push(frame.subarray(i, i + 1)), undefined)
  assert.deepEqual(reader.push(frame.subarray(frame.length - 1)), HELLO)
})

function encodeFrame(body: string): Uint8Array {
  const bytes = new TextEncoder().encode(body)
  const frame = Buffer.alloc(4 + bytes.length)
  frame.writeUInt32BE(bytes.length)
  frame.set(bytes, 4)
  return frame
}
