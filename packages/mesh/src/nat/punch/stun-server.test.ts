import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { whyFailed, whyNot } from './nat-kind.ts'
import { seenAs } from './seen-as.ts'
import { encodeStun } from './stun-message.ts'
import type { Endpoint } from './stun-message.ts'
import { createStunServer } from './stun-server.ts'
import { openUdp } from './udp-socket.ts'
import type { UdpSocket } from './udp-socket.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }
const PEER = 'peer' as PeerId

/** Started, with a socket to ask from. */
async function stun() {
  const server = createStunServer({ clock: systemClock }, { port: 0 })
  await server.start(LOOPBACK.host)
  const socket = await openUdp(LOOPBACK)
  const stop = (): void => {
    server.stop()
    socket.close()
  }
  const endpoints = (ports: number[]): Endpoint[] => ports.map((port) => ({ host: LOOPBACK.host, port }))
  return { server, socket, endpoints, [Symbol.dispose]: stop }
}
const ask = async (socket: UdpSocket, servers: Endpoint[], username: string, hosts: string[] = []) =>
  await seenAs(socket, servers, { username, hosts, signal: AbortSignal.timeout(5_000) })

test('a peer with a pass learns how its socket is seen, by two ports', async () => {
  using made = await stun()
  const { ports, username } = made.server.allow(PEER)
  assert.equal(new Set(ports).size, 2)
  assert.deepEqual(await ask(made.socket, made.endpoints(ports), username), { nat: 'independent', mapped: made.socket.local })
  assert.deepEqual(await ask(made.socket, made.endpoints(ports), username, [LOOPBACK.host]), { nat: 'none', mapped: made.socket.local })
  assert.equal((await ask(made.socket, made.endpoints(ports.slice(1)), username)).nat, 'unknown') // one answer tells no kind
})

test('without a pass, with one of nobody, and after its answers are used up, the ports are silent', async () => {
  using made = await stun()
  const { ports, username } = made.server.allow(PEER)
  const [first] = made.endpoints(ports)
  assert.ok(first)
  const answers: number[] = []
  made.socket.onMessage((bytes) => answers.push(bytes.byteLength))
  const transaction = '00'.repeat(12)
  const request = encodeStun({ kind: 'request', transaction, username })
  made.socket.send(new Uint8Array(20), first)
  made.socket.send(encodeStun({ kind: 'request', transaction, username: 'of-nobody-at-all' }), first)
  for (let sent = 0; sent < 60; sent += 1) made.socket.send(request, first)
  // A pass of its own, on the same socket of the server: when this is answered, all before it was seen.
  const { username: last } = made.server.allow(PEER)
  const other = await openUdp(LOOPBACK)
  assert.equal((await ask(other, [first], last)).nat, 'unknown')
  other.close()
  await eventually('its answers', () => answers.length >= 32)
  assert.equal(answers.length, 32)
  assert.ok(
    answers.every((bytes) => bytes <= request.byteLength),
    'an answer is no longer than what it answers',
  )
})

test('a port that is taken is a problem that says so, and nobody gets a pass', async () => {
  const taken = await openUdp(LOOPBACK)
  const server = createStunServer({ clock: systemClock }, { port: taken.local.port })
  await server.start(LOOPBACK.host)
  assert.match(server.problem() ?? '', new RegExp(`UDP port ${taken.local.port}: .*EADDRINUSE`))
  assert.throws(
    () => server.allow(PEER),
    (error) => isAppError(error, 'unsupported'),
  )
  server.stop()
  taken.close()
})

test('two numbers for one port are a symmetric NAT; which pairs have no way is known before', async () => {
  const servers = await Promise.all([openUdp(LOOPBACK), openUdp(LOOPBACK)])
  for (const [at, server] of servers.entries())
    server.onMessage((bytes, from) => {
      const transaction = Buffer.from(bytes).toString('hex', 8, 20)
      server.send(encodeStun({ kind: 'response', transaction, mapped: { host: '203.0.113.7', port: 40_000 + at } }), from)
    })
  const socket = await openUdp(LOOPBACK)
  const symmetric = await ask(
    socket,
    servers.map(({ local }) => local),
    'anybody',
  )
  assert.deepEqual(symmetric, { nat: 'symmetric', mapped: { host: '203.0.113.7', port: 40_000 } })
  for (const { close } of [...servers, socket]) close()
  const cone = { nat: 'independent', mapped: { host: '203.0.113.8', port: 4_000 } } as const
  assert.match(whyNot(symmetric, symmetric) ?? '', /both NATs are symmetric/)
  assert.deepEqual([whyNot(cone, cone), whyNot(symmetric, cone)], [undefined, undefined])
  assert.match(whyNot(cone, { nat: 'unknown' }) ?? '', /it does not know/)
  assert.match(whyFailed(symmetric, cone), /the NAT here is symmetric/)
})
