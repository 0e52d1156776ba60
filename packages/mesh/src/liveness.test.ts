import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { eventOf, makeNode, newHome, startNode } from './testing/mesh-kit.ts'

const CHILD = fileURLToPath(new URL('testing/child-node.ts', import.meta.url))

async function startChild(home: string, listen: string, admitted: PeerId): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [CHILD, home, listen, admitted], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, address: line.toString().trim() }
}

/** Passes bytes on until it is told to hold them: a network that drops packets. */
async function startProxy(target: number): Promise<{ port: number; hold(): void } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  let isHolding = false
  const server = createServer((from) => {
    const to = connect(target, '127.0.0.1')
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(socket)
      socket.on('data', (bytes) => isHolding || other.write(bytes))
      socket.on('error', () => {})
      socket.on('close', () => isHolding || other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    hold: () => (isHolding = true),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a killed peer is noticed at once, and found again when it is back', async () => {
  const [home, { node: made, home: ours }] = await Promise.all([newHome(), makeNode()])
  const { child, address } = await startChild(home, '/ip4/127.0.0.1/tcp/0', made.peerId)
  const addr = address.replace(/\/p2p\/.*/, '')
  await using a = await startNode({ name: 'a', home: ours, peers: [{ name: 'b', addr }] })
  await eventOf(a, 'peer.connected')
  const begun = performance.now()
  child.kill('SIGKILL')
  const lost = await eventOf(a, 'peer.disconnected')
  assert.ok(performance.now() - begun < 1_000, 'noticed within a second')
  assert.equal(lost.name, 'b')
  const back = await startChild(home, addr, made.peerId)
  await eventually('connected again', () => a.events.filter((event) => event.type === 'peer.connected').length === 2)
  back.child.stdin?.write('stop')
  assert.deepEqual(await once(back.child, 'exit'), [7, null], 'a stopped node leaves nothing that keeps its process alive')
})

test('a peer that no longer answers turns suspect, is lost within four intervals, and its round trip is measured before', async () => {
  const { node: made, home } = await makeNode()
  await using b = await startNode({ name: 'b' })
  await b.node.trust.admit(made.peerId)
  await using proxy = await startProxy(Number(/tcp\/(\d+)/.exec(b.address)?.[1]))
  const peers = [{ name: 'b', addr: `/ip4/127.0.0.1/tcp/${proxy.port}` }]
  await using a = await startNode({ name: 'a', home, peers, timings: { ping: 100 } })
  await eventOf(a, 'peer.connected')
  await eventually('a round trip', async () => (await a.node.peers.list()).some((peer) => (peer.rttMs ?? 0) > 0))
  proxy.hold()
  await eventOf(a, 'peer.suspect')
  assert.match((await eventOf(a, 'peer.disconnected')).reason, /no answer for/)
})

test('a peer that comes back over another way: what it called over before is given up soon, and calls go over the new way', async () => {
  const { node: made, home } = await makeNode()
  await using b = await startNode({ name: 'b', timings: { ping: 1_000 } })
  await b.node.trust.admit(made.peerId)
  await using proxy = await startProxy(Number(/tcp\/(\d+)/.exec(b.address)?.[1]))
  await using a = await startNode({ name: 'a', home, peers: [{ name: 'b', addr: `/ip4/127.0.0.1/tcp/${proxy.port}` }] })
  await eventOf(b, 'peer.connected')
  const addressOf = async (): Promise<string | undefined> => (await b.node.peers.list()).find(({ peerId }) => peerId === a.peerId)?.address
  const before = await addressOf()
  proxy.hold()
  const begun = performance.now()
  await using again = await startNode({ name: 'a', home, peers: [{ name: 'b', addr: b.address }] })
  await eventOf(again, 'peer.connected')
  await eventually('calls go over the new way', async () => (await addressOf()) !== before)
  assert.ok(performance.now() - begun < 3_200, 'before pings alone would have told')
  assert.ok(!b.events.some(({ type }) => type === 'peer.disconnected'), 'the link itself stays')
})

test('a handshake that takes longer than an address may is not begun again and again', async () => {
  const { node: made, home } = await makeNode()
  await using b = await startNode({ name: 'b' })
  await b.node.trust.admit(made.peerId)
  const late = createServer((from) => {
    const to = connect(Number(/tcp\/(\d+)/.exec(b.address)?.[1]), '127.0.0.1')
    for (const socket of [from, to]) socket.on('error', () => {})
    setTimeout(() => from.pipe(to).pipe(from), 1_000) // as a machine whose turn comes late
  }).listen(0, '127.0.0.1')
  await once(late, 'listening')
  const peers = [{ name: 'b', addr: `/ip4/127.0.0.1/tcp/${(late.address() as AddressInfo).port}` }]
  await using a = await startNode({ name: 'a', home, peers, timings: { addressDial: 300 } })
  await eventOf(a, 'peer.connected')
  late.close()
})
