import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { connected, eventOf, makeNode, newHome, startNode } from '../testing/mesh-kit.ts'
import type { TestNode } from '../testing/mesh-kit.ts'

/** Passes bytes on to what `lead` says, and counts the connections that are open. */
async function startCounter(): Promise<{ port: number; lead(port: number): void; open(): number } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  let target = 0
  const server = createServer((from) => {
    const to = connect(target, '127.0.0.1')
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    lead: (port) => (target = port),
    open: () => sockets.size / 2,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const portOf = (node: TestNode): number => Number(/(?:tcp|udp)\/(\d+)/.exec(node.address)?.[1])
const addressAt = async (at: TestNode, of: TestNode): Promise<string | undefined> =>
  (await at.node.peers.list()).find(({ peerId }) => peerId === of.peerId)?.address

test('two nodes that dial each other at the same moment keep one connection, and stay linked', async () => {
  await using toA = await startCounter()
  await using toB = await startCounter()
  const [homeA, homeB] = [await newHome(), await newHome()]
  const { node: madeA } = await makeNode({ home: homeA })
  const { node: madeB } = await makeNode({ home: homeB })
  const way = (port: number): string => `/ip4/127.0.0.1/tcp/${port}`
  const [a, b] = await Promise.all([
    startNode({ name: 'a', home: homeA, peers: [{ name: 'b', peerId: madeB.peerId, addr: way(toB.port) }] }),
    startNode({ name: 'b', home: homeB, peers: [{ name: 'a', peerId: madeA.peerId, addr: way(toA.port) }] }),
  ])
  await using owned = new AsyncDisposableStack()
  for (const node of [a, b]) owned.use(node)
  // Nobody is reached before both counters know where they lead: then both dial within a moment.
  toA.lead(portOf(a))
  toB.lead(portOf(b))
  await Promise.all([connected(a, b), connected(b, a)])
  await eventually('one connection is left', () => toA.open() + toB.open() === 1)
  assert.deepEqual(
    [a, b].map(({ events }) => events.filter(({ type }) => type === 'peer.disconnected').length),
    [0, 0],
  )
})

test('a link over QUIC gets a TCP line when there is one to be had, and keeps that alone', async () => {
  const listen = ['/ip4/127.0.0.1/udp/0/quic-v1', '/ip4/127.0.0.1/tcp/0']
  await using b = await startNode({ name: 'b', listen })
  const { node: made, home } = await makeNode({ name: 'a' })
  await b.node.trust.admit(made.peerId, { role: 'client' })
  const addr = b.report.listenAddresses.find((text) => text.includes('quic'))
  await using a = await startNode({ name: 'a', home, listen: [], peers: [{ name: 'b', addr }] })
  assert.match((await eventOf(a, 'peer.connected')).address, /quic-v1$/)
  for (const [at, of] of [
    [a, b],
    [b, a],
  ] as const) {
    await eventually(`${at.node.name} calls over TCP`, async () => /\/tcp\//.test((await addressAt(at, of)) ?? ''))
  }
  assert.ok(![...a.events, ...b.events].some(({ type }) => type === 'peer.disconnected'))
})
