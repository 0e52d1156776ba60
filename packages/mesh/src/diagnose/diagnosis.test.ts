import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { systemClock } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { makeNode, startNode, startPair } from '../testing/mesh-kit.ts'
import { stranger } from '../testing/stranger.ts'

/** A TCP server that does `answer` with each connection. */
async function serverThat(answer: (socket: Socket) => void): Promise<{ address: string } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    answer(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await Promise.resolve()
    },
  }
}

test('a linked peer: who it is, both standings, round trips, bandwidth both ways, and the link stays', async () => {
  await using pair = await startPair()
  const { a, b } = pair
  await eventually('the record', async () => (await a.node.diagnosis.peer('b', { brief: true })).record)
  const found = await a.node.diagnosis.peer('b')
  assert.equal(found.peerId, b.peerId)
  assert.equal(found.meaning, 'configured')
  assert.deepEqual(found.here, { trust: 'admitted', role: 'observer', use: true })
  assert.equal(found.hello?.state, 'admitted')
  assert.equal(found.hello?.role, 'client')
  assert.equal(found.link.state, 'up')
  assert.equal(found.pings?.roundTripsMs.length, 10)
  assert.ok((found.bandwidth?.downBytesPerSec ?? 0) > 100_000, JSON.stringify(found.bandwidth))
  assert.ok((found.bandwidth?.upBytesPerSec ?? 0) > 100_000, JSON.stringify(found.bandwidth))
  assert.ok(Math.abs(found.hello?.clockAheadMs ?? Infinity) < 2_000)
  assert.equal((await a.node.peers.list()).find(({ peerId }) => peerId === b.peerId)?.state, 'connected')
  assert.equal(a.events.filter(({ type }) => type === 'peer.disconnected').length, 0)
})

test('bytes to measure with are given a few times a minute, and only to admitted peers', async () => {
  await using pair = await startPair()
  for (let i = 0; i < 7; i += 1) await pair.a.node.diagnosis.peer('b')
  const found = await pair.a.node.diagnosis.peer('b')
  assert.match(found.bandwidth?.problem ?? '', /try again in a minute/)
  await using other = await startNode({ name: 'other' })
  const asStranger = await other.node.diagnosis.peer(pair.b.address)
  assert.equal(asStranger.bandwidth, undefined)
  assert.equal(asStranger.hello?.state, 'unknown')
  assert.equal(asStranger.hello?.clockAheadMs, undefined)
})

test('a clock that differs is told by the handshake', async () => {
  const ahead = { now: () => systemClock.now() + 120_000, monotonic: () => systemClock.monotonic() }
  await using pair = await startPair({ b: { clock: ahead } })
  const found = await pair.a.node.diagnosis.peer('b', { brief: true })
  assert.ok(Math.abs((found.hello?.clockAheadMs ?? 0) - 120_000) < 2_000, String(found.hello?.clockAheadMs))
})

for (const [what, answer, detail] of [
  ['an SSH server', (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), /an SSH server \(SSH-2\.0-OpenSSH_9\.2\)/],
  ['a web server', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /a web server/],
  ['a server of TLS', (socket: Socket) => socket.end(Buffer.from([0x15, 0x03, 0x01, 0, 2, 2, 0x46])), /wants TLS/],
  ['a silent server', () => {}, /says nothing/],
  ['a server with escape sequences', (socket: Socket) => socket.end('\u001b[2Jhello to whoever dials this'), /^[\x20-\x7e]+$/],
] as const) {
  test(`not libp2p: ${what} is named`, async () => {
    await using server = await serverThat(answer)
    await using node = await startNode()
    const [dial] = (await node.node.diagnosis.peer(server.address)).dials
    assert.equal(dial?.outcome, 'foreign')
    assert.match(dial?.detail ?? '', detail)
  })
}

test('refused, closed, this node itself, another id, and a libp2p node that is no qmtcode', async () => {
  await using closing = await serverThat((socket) => socket.end())
  await using node = await startNode()
  await using other = await startNode({ name: 'other' })
  await using libp2p = await stranger()
  const outcome = async (target: string) => await node.node.diagnosis.peer(target, { brief: true })
  const free = await serverThat(() => {})
  await free[Symbol.asyncDispose]()
  assert.equal((await outcome(free.address)).dials[0]?.outcome, 'refused')
  assert.equal((await outcome(closing.address)).dials[0]?.outcome, 'closed')
  assert.equal((await outcome(node.address.replace(/\/p2p.*/, ''))).dials[0]?.outcome, 'self')
  const wrong = await outcome(other.address.replace(other.peerId, libp2p.peerId.toString()))
  assert.equal(wrong.dials[0]?.outcome, 'other_peer')
  assert.equal(wrong.dials[0]?.peerId, other.peerId)
  assert.match(wrong.dials[0]?.answeredAs ?? '', /a qmtcode 0\.1\.0 called other/)
  assert.equal((await outcome(libp2p.getMultiaddrs()[0]?.toString() ?? '')).greeting?.code, 'unsupported')
})

test('who was only looked at is left alone again', async () => {
  await using node = await startNode()
  await using other = await startNode({ name: 'other' })
  await node.node.diagnosis.peer(other.address)
  await eventually('no connection is left', async () =>
    (await node.node.peers.list()).every((peer) => peer.self || peer.state !== 'connected'),
  )
})

test('banned there, banned here, an unknown name', async () => {
  await using b = await startNode({ name: 'b' })
  const made = await makeNode({ name: 'a' })
  await b.node.trust.ban(made.node.peerId)
  await using a = await startNode({ name: 'a', home: made.home, peers: [{ name: 'b', addr: b.address }] })
  assert.equal((await a.node.diagnosis.peer('b', { brief: true })).greeting?.code, 'not_admitted')
  await a.node.trust.ban(b.peerId)
  const banned = await a.node.diagnosis.peer('b', { brief: true })
  assert.equal(banned.here?.trust, 'banned')
  assert.equal(banned.dials[0]?.outcome, 'banned')
  assert.equal((await a.node.diagnosis.peer('nobody')).unresolved?.code, 'not_found')
})

test('a name that has no address says so', async () => {
  await using node = await startNode({ peers: [{ name: 'far', addr: '/dns4/no-such-host.invalid/tcp/9000' }] })
  const [name] = (await node.node.diagnosis.peer('far', { brief: true })).names
  assert.equal(name?.name, 'no-such-host.invalid')
  assert.match(name?.problem ?? '', /has no address|not resolved in time/)
})
