import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { MessageStream } from '@libp2p/interface'
import { eventually, startNode } from '../testing/mesh-kit.ts'
import { dial, fate, idOf, muxerFrame, stranger, wireOf } from '../testing/stranger.ts'
import { PING_PROTOCOL } from './ping.ts'
import { createFrameCounter } from './wire-guard.ts'

const MIB = 1_048_576

test('a frame that no window allows closes the connection, whoever sends it, before it is gathered', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger()
  await b.node.trust.admit(idOf(node), { role: 'admin' })
  const connection = await dial(node, b)
  assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  wireOf(connection).send(muxerFrame({ type: 0, flags: 1, id: 1_001, length: 0xffff_ffff }))
  await eventually('it is closed', () => connection.status !== 'open')
})

test('a stranger that sends more than it needs loses its connection; an admitted peer does not', async () => {
  await using b = await startNode({ name: 'b' })
  await using friend = await stranger()
  await b.node.trust.admit(idOf(friend), { role: 'observer' })
  await using node = await stranger()
  const flood = Buffer.concat(Array.from({ length: 600 }, () => muxerFrame({ type: 1, id: 9_001 })))
  const connections = [await dial(friend, b), await dial(node, b)] as const
  for (const connection of connections) {
    assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
    wireOf(connection).send(new Uint8Array(flood))
  }
  await eventually('the stranger is cut', () => connections[1].status !== 'open')
  assert.equal(await fate(connections[0], PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
})

test('a stranger that only opens streams is cut too', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger()
  const connection = await dial(node, b)
  for (let id = 2_001; id < 2_601; id += 2) {
    if (connection.status !== 'open') break
    wireOf(connection).send(muxerFrame({ type: 1, flags: 1, id }))
    wireOf(connection).send(muxerFrame({ type: 1, flags: 8, id }))
  }
  await eventually('it is cut', () => connection.status !== 'open')
})

test('an admitted peer that asks and does not read is cut before its answers fill the memory', async () => {
  await using b = await startNode({ name: 'b' })
  await using node = await stranger('noise') // TLS stops reading where it cannot write; Noise does not
  await b.node.trust.admit(idOf(node), { role: 'observer' })
  const connection = await dial(node, b)
  assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  const { socket } = (connection as unknown as { maConn: MessageStream & { socket: Socket } }).maConn
  socket.pause()
  const pings = new Uint8Array(Buffer.concat(Array.from({ length: 5_000 }, (_, id) => muxerFrame({ type: 2, flags: 1, length: id }))))
  const before = process.memoryUsage().rss
  const sent = { bytes: 0 }
  await eventually(
    'it is cut',
    () => {
      if (connection.status !== 'open') return true
      if (socket.writableLength > MIB) return false
      sent.bytes += pings.byteLength
      wireOf(connection).send(pings.slice())
      return false
    },
    9_000, // by then its silence would be noticed
  )
  assert.ok(sent.bytes < 50 * MIB && process.memoryUsage().rss - before < 500 * MIB)
})

test('frames are counted in whatever pieces they come', () => {
  const bytes = Buffer.concat([
    muxerFrame({ type: 1, flags: 1, id: 1 }),
    muxerFrame({ type: 0, id: 1, length: 5 }),
    Buffer.from('hello'),
    muxerFrame({ type: 2, flags: 1, length: 0xffff_ffff }),
    muxerFrame({ type: 0, id: 1, length: MIB }),
  ])
  for (const size of [1, 3, 12, 13, 100]) {
    const count = createFrameCounter()
    let frames = 0
    for (let at = 0; at < bytes.length; at += size) frames += count(bytes.subarray(at, at + size))
    assert.equal(frames, 4, `pieces of ${size}`)
  }
  assert.throws(() => createFrameCounter()(muxerFrame({ type: 0, id: 1, length: MIB + 1 })), /a frame of 1048577 bytes/)
})
