import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Libp2p, Upgrader } from '@libp2p/interface'
import { quic } from '@chainsafe/libp2p-quic'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { createLibp2p } from 'libp2p'
import { createProbes } from './probes.ts'
import { createPunchedPath } from './punched-path.ts'
import type { PunchedPath } from './punched-path.ts'
import { createPunchedQuic } from './punched-quic.ts'
import type { PunchedQuic } from './punched-quic.ts'
import type { Endpoint } from './stun-message.ts'
import { openUdp } from './udp-socket.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }
const TOKEN = 'a-token-of-both'

interface Rig extends AsyncDisposable {
  libp2p: Libp2p
  peerId: PeerId
  punched: PunchedQuic
  /** What judges connections saw, by address. */
  judged: string[]
}

async function rig(): Promise<Rig> {
  const made: { punched?: PunchedQuic } = {}
  const judged: string[] = []
  const libp2p = await createLibp2p({
    addresses: { listen: [] },
    connectionGater: { denyInboundConnection: ({ remoteAddr }) => judged.push(remoteAddr.toString()) === 0 },
    transports: [quic({ maxIdleTimeout: 3_000, keepAliveInterval: 1_000 })],
    services: {
      internals: (components: { upgrader: Upgrader } & Parameters<ReturnType<typeof quic>>[0]) => {
        made.punched = createPunchedQuic({ transport: quic({ maxIdleTimeout: 30_000 })(components), upgrader: components.upgrader })
        return {}
      },
    },
  })
  const { punched } = made
  assert.ok(punched)
  return {
    libp2p,
    peerId: libp2p.peerId.toString() as PeerId,
    punched,
    judged,
    async [Symbol.asyncDispose]() {
      await punched.stop()
      await libp2p.stop()
    },
  }
}

/** Two sockets that met, and the paths behind them. */
async function paths(quicAt: Endpoint): Promise<{ caller: PunchedPath; callee: PunchedPath }> {
  const [one, other] = [await openUdp(LOOPBACK), await openUdp(LOOPBACK)]
  const signal = AbortSignal.timeout(5_000)
  const [calling, called] = [createProbes(one, { token: TOKEN, side: 'caller' }), createProbes(other, { token: TOKEN, side: 'callee' })]
  const [farOfCaller, farOfCallee] = await Promise.all([calling.open(other.local, signal), called.open(one.local, signal)])
  return {
    caller: await createPunchedPath({ outer: one, probes: calling }, { far: farOfCaller }),
    callee: await createPunchedPath({ outer: other, probes: called }, { far: farOfCallee, quic: quicAt }),
  }
}

const inbound = (at: Rig): Promise<Connection> => eventually('a connection', () => at.libp2p.getConnections()[0])

test('two nodes are connected over a path, each sees the far address, and the path ends with the connection', async () => {
  await using a = await rig()
  await using b = await rig()
  const { caller, callee } = await paths(await b.punched.endpoint())
  const signal = AbortSignal.timeout(5_000)
  const [connection] = await Promise.all([a.punched.dial(caller, b.peerId, signal), b.punched.accept(callee, a.peerId, signal)])
  assert.equal(connection.remoteAddr.toString(), `/ip4/127.0.0.1/udp/${caller.far.port}/quic-v1/p2p/${b.peerId}`)
  const there = await inbound(b)
  assert.equal(there.remoteAddr.toString(), `/ip4/127.0.0.1/udp/${callee.far.port}/quic-v1/p2p/${a.peerId}`)
  assert.deepEqual(b.judged, [there.remoteAddr.toString()])
  assert.deepEqual(b.libp2p.getMultiaddrs(), [])
  await connection.close()
  await eventually('both are closed', () => a.libp2p.getConnections().length + b.libp2p.getConnections().length === 0)
  await eventually('its port is free again', async () => {
    const socket = await openUdp({ host: '127.0.0.1', port: caller.far.port }).catch(() => undefined)
    socket?.close()
    return socket !== undefined
  })
})

test('another peer than the expected one is refused at both ends', async () => {
  await using a = await rig()
  await using b = await rig()
  await using c = await rig()
  const signal = AbortSignal.timeout(2_000)
  const first = await paths(await b.punched.endpoint())
  await assert.rejects(
    Promise.all([a.punched.dial(first.caller, c.peerId, signal), b.punched.accept(first.callee, a.peerId, signal)]),
    /Dialed peer/,
  )
  const second = await paths(await b.punched.endpoint())
  const accepting = assert.rejects(b.punched.accept(second.callee, c.peerId, AbortSignal.timeout(500)), /nothing came over it/)
  await a.punched.dial(second.caller, b.peerId, signal).catch(() => undefined)
  await accepting
  await eventually('nobody is left', () => b.libp2p.getConnections().length === 0)
})
