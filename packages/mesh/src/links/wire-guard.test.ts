import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamMessageEvent } from '@libp2p/interface'
import type { MessageStream, StreamMuxer } from '@libp2p/interface'
import { systemClock } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { startNode } from '../testing/mesh-kit.ts'
import { dial, fate, idOf, muxerFrame, stranger, wireOf } from '../testing/stranger.ts'
import { PING_PROTOCOL } from './ping.ts'
import { createFrameCounter, guardedMuxer } from './wire-guard.ts'

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

test('an admitted peer that asks and does not read is cut before its answers fill the memory', () => {
  const aborted: string[] = []
  const abort = (error: Error): number => aborted.push(error.message)
  const maConn = Object.assign(new EventTarget(), { status: 'open', writeBufferLength: 4 * MIB, abort })
  const muxer = { abort } as unknown as StreamMuxer
  const factory = guardedMuxer(
    () => ({ protocol: '/yamux/1.0.0', createStreamMuxer: () => muxer }),
    { clock: systemClock },
    { isTrusted: () => true },
  )
  factory({}).createStreamMuxer(maConn as unknown as MessageStream)
  const arrive = (): boolean => maConn.dispatchEvent(new StreamMessageEvent(muxerFrame({ type: 2, flags: 1 })))
  arrive()
  assert.deepEqual(aborted, [])
  maConn.writeBufferLength += 1
  arrive()
  assert.deepEqual(aborted, ['it does not read what it is sent', 'it does not read what it is sent'])
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
