import assert from 'node:assert/strict'
import { mkdtemp } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { MultiaddrConnection } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { hostKey } from '../addresses/multiaddrs.ts'
import { PING_PROTOCOL } from '../links/ping.ts'
import { startNode } from '../testing/mesh-kit.ts'
import { dial, fate, idOf, stranger } from '../testing/stranger.ts'
import { createGate } from './gate.ts'
import { openKnownPeersFile } from './known-peers-file.ts'
import { createTrustBook } from './trust-book.ts'
import type { TrustBook } from './trust-book.ts'

const newPeerId = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString() as PeerId
const peerIds = [await newPeerId(), await newPeerId()] as const

async function emptyBook(): Promise<TrustBook> {
  const file = await openKnownPeersFile(join(await mkdtemp(join(tmpdir(), 'qmt-gate-')), 'known_peers.json'))
  return createTrustBook({ clock: systemClock, file }, { self: peerIds[1], configured: [], open: false })
}

const from = (host: string): MultiaddrConnection =>
  Object.assign(new EventTarget(), {
    remoteAddr: multiaddr(`/ip4/${host}/tcp/1`),
    abort(this: EventTarget) {
      this.dispatchEvent(new Event('close'))
    },
  }) as unknown as MultiaddrConnection

/** Keeps `count` connections from another address that say nothing; each that is closed is opened again. */
function holdOpen(port: number, count: number): { refused: number; stop(): void } {
  const sockets = new Set<Socket>()
  let isStopped = false
  const held = {
    refused: 0,
    stop() {
      isStopped = true
      for (const socket of sockets) socket.destroy()
    },
  }
  const open = (): void => {
    if (isStopped) return
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      held.refused += 1
      setTimeout(open, 20)
    })
  }
  for (let i = 0; i < count; i += 1) open()
  return held
}

test(
  'connections that say nothing keep nobody out but their own address',
  { skip: process.platform !== 'linux' && 'needs 127.0.0.2' },
  async () => {
    await using b = await startNode({ name: 'b' })
    await using friend = await stranger()
    await b.node.trust.admit(idOf(friend), { role: 'observer' })
    const held = holdOpen(Number(/tcp\/(\d+)/.exec(b.address)?.[1]), 300)
    try {
      await eventually('most are refused', () => held.refused > 284)
      const connection = await dial(friend, b)
      assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
    } finally {
      held.stop()
    }
  },
)

test('a flood from the address of an admitted peer is bounded too, and the link that is there stays', async () => {
  const perAddress = 64
  const book = await emptyBook()
  await book.admit(peerIds[0])
  const gate = createGate({ clock: systemClock, trust: book })
  const isDenied = (maConn: MultiaddrConnection): unknown => gate.denyInboundConnection?.(maConn)
  const first = from('10.0.0.7')
  assert.equal(isDenied(first), false)
  assert.equal(gate.denyInboundEncryptedConnection?.(peerIdFromString(peerIds[0]), first), false)
  const flood = Array.from({ length: 100 }, () => from('10.0.0.7'))
  assert.equal(flood.filter((maConn) => isDenied(maConn) === false).length, perAddress)
  flood[0]?.dispatchEvent(new Event('close'))
  assert.equal(isDenied(from('10.0.0.7')), false)
  await book.ban(peerIds[0])
  assert.equal(isDenied(from('10.0.0.7')), true)
})

test('strangers of many addresses leave places for the addresses of admitted peers, and for those that come for the first time', async () => {
  const book = await emptyBook()
  await book.admit(peerIds[0])
  book.seen(peerIds[0], ['/ip4/10.9.9.9/tcp/9000'])
  let now = 0
  const gate = createGate({ clock: { now: () => now, monotonic: () => now }, trust: book })
  const accepted = { strangers: 0, friends: 0, newcomers: 0 }
  for (let i = 0; i < 2_000; i += 1) {
    now += 10
    if (gate.denyInboundConnection?.(from(`10.1.${i % 250}.1`)) === false) accepted.strangers += 1
    if (i % 40 === 0 && gate.denyInboundConnection?.(from('10.9.9.9')) === false) accepted.friends += 1
    if (i > 1_000 && i % 100 === 0 && gate.denyInboundConnection?.(from(`10.2.${i / 100}.1`)) === false) accepted.newcomers += 1
  }
  assert.deepEqual([accepted.friends, accepted.newcomers], [50, 9])
  assert.ok(accepted.strangers < 20 * 60, `${accepted.strangers} in 20 s`)
})

test('an address is the /64 of IPv6, and IPv4 within it is IPv4', () => {
  const keys = [
    ['/ip4/10.0.0.7/tcp/1', '10.0.0.7'],
    ['/ip6/::ffff:10.0.0.7/tcp/1', '10.0.0.7'],
    ['/ip6/2001:db8:1:2:3:4:5:6/tcp/1', '2001:db8:1:2'],
    ['/ip6/2001:db8::6/tcp/1', '2001:db8:0:0'],
    ['/ip6/::1/tcp/1', '0:0:0:0'],
    ['/ip6/2001:db8:1:2::/tcp/1', '2001:db8:1:2'],
    ['/dns4/example.org/tcp/1', 'example.org'],
  ]
  for (const [address, key] of keys) assert.equal(hostKey(multiaddr(address)), key, address)
})
