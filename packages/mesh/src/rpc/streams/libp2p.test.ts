import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { isAppError } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { createRpcClient } from '../client.ts'
import { noise, startPair, tls } from '../libp2p-rig.ts'
import { rigContract, rigHandlers } from '../rpc-rig.ts'
import { createRpcServer } from '../server.ts'
import type { ByteStream } from '../types.ts'
import { libp2pStream } from './libp2p.ts'

const MIB = 1_048_576

/** A pair whose host keeps what was opened, raw and adapted. */
async function rawPair() {
  const accepted: { stream: Stream; bytes: ByteStream }[] = []
  const pair = await startPair((stream, connection) => {
    accepted.push({ stream, bytes: libp2pStream(stream, connection) })
  })
  const stream = await pair.open()
  await eventually('the host has the stream', () => accepted.length === 1)
  const [host] = accepted
  assert.ok(host)
  return { pair, stream, bytes: libp2pStream(stream, pair.connection), host }
}

/** Resolves when `value` has not changed for a while. */
async function settled(value: () => number): Promise<void> {
  let last = -1
  while (last !== value()) {
    last = value()
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
}

for (const encrypter of [tls, noise]) {
  test(`calls, streams, large values and cancels over ${encrypter === tls ? 'TLS' : 'Noise'}`, async () => {
    const seen = { aborted: [] as unknown[], running: 0 }
    const server = createRpcServer()
    const served = { contract: rigContract, handlers: rigHandlers(seen) }
    await using pair = await startPair((stream, connection) => server.accept(libp2pStream(stream, connection), served, {}), encrypter)
    const rpc = createRpcClient({ open: async () => libp2pStream(await pair.open(), pair.connection) })
    const rig = rpc.client(rigContract)
    assert.equal((await rig.echo({ value: 1 })).value, 1)
    assert.equal((await rig.size({ bytes: new Uint8Array(3 * MIB) })).bytes, 3 * MIB)
    let next = 0
    for await (const { n } of rig.count({ to: 5_000, tag: 'x', pad: 300 })) assert.equal(n, next++)
    assert.equal(next, 5_000)
    for await (const { n } of rig.count({ to: 1e9, tag: 'x' })) if (n === 5) break
    await eventually('the handler ended', () => seen.running === 0)
    assert.equal((await rig.echo({ value: 2 })).value, 2)
    assert.ok(rpc.stats().streams <= 2) // a cancelled stream is free one round trip later
    rpc.stop()
    server.stop()
  })
}

test('trap: onDrain() of libp2p fires once; ours tells each time, so that nothing piles up', async () => {
  const { pair, stream, bytes, host } = await rawPair()
  await using _ = pair
  let received = 0
  host.bytes.onData((data) => (received += data.byteLength))
  let drained = Promise.withResolvers<void>()
  bytes.onDrain(() => drained.resolve())
  let drains = 0
  let highest = 0
  for (let i = 0; i < 256; i += 1) {
    const isFree = bytes.send(new Uint8Array(65_536))
    highest = Math.max(highest, stream.writeBufferLength)
    if (isFree) continue
    await drained.promise
    drained = Promise.withResolvers<void>()
    drains += 1
  }
  await eventually('all arrives', () => received === 256 * 65_536)
  assert.ok(drains > 1, `${drains} drains`)
  assert.ok(highest < MIB, `${highest} bytes held`)
})

test('trap: pause() within a message that resume() delivers holds, and the stream is not reset', async () => {
  const { pair, bytes, host } = await rawPair()
  await using _ = pair
  let received = 0
  let isPaused = false
  host.bytes.onData((data) => {
    received += data.byteLength
    isPaused = true
    host.bytes.pause()
  })
  const closed: unknown[] = []
  host.bytes.onClose((error) => closed.push(error ?? 'clean'))
  const total = 160 * 65_536
  for (let i = 0; i < 160; i += 1) bytes.send(new Uint8Array(65_536))
  await eventually('the first message', () => isPaused)
  let highest = 0
  const isOver = (): boolean => received === total || closed.length > 0
  for (let round = 0; !isOver(); round += 1) {
    if (round < 3) await settled(() => host.stream.readBufferLength) // the sender fills what it was granted
    highest = Math.max(highest, host.stream.readBufferLength)
    isPaused = false
    host.bytes.resume()
    await eventually('the next message', () => isPaused || isOver())
  }
  assert.deepEqual(closed, [])
  assert.equal(received, total)
  assert.ok(highest <= MIB, `${highest} bytes held while paused`)
})

test('trap: a reader that comes late loses nothing', async () => {
  const { pair, bytes, host } = await rawPair()
  await using _ = pair
  bytes.send(Buffer.from('early'))
  await eventually('it waits in the buffer', () => host.stream.readBufferLength === 5)
  const got: string[] = []
  host.bytes.onData((data) => got.push(Buffer.from(data).toString()))
  await eventually('it is delivered', () => got.join('') === 'early')
})

test('trap: what arrived before a clean end is delivered to a paused reader, and then the end', async () => {
  const { pair, bytes, host } = await rawPair()
  await using _ = pair
  const heard: string[] = []
  host.bytes.onData((data) => heard.push(Buffer.from(data).toString()))
  host.bytes.onClose((error) => heard.push(error ? 'error' : 'end'))
  host.bytes.pause()
  await Promise.resolve()
  bytes.send(Buffer.from('last words'))
  bytes.close()
  await eventually('the stream is closed', () => host.stream.status !== 'open')
  assert.deepEqual(heard, [])
  host.bytes.resume()
  await eventually('both come', () => heard.length === 2)
  assert.deepEqual(heard, ['last words', 'end'])
})

test('trap: a handler stream is half open; closing one side ends both and leaves no stream', async () => {
  const { pair, bytes } = await rawPair()
  await using _ = pair
  const closed: unknown[] = []
  bytes.onClose((error) => closed.push(error ?? 'clean'))
  bytes.close()
  const open = (connection: Connection | undefined): number =>
    connection?.streams.filter(({ protocol }) => protocol === '/qmt/rig/1').length ?? 0
  await eventually('no stream is left', () => open(pair.connection) === 0 && open(pair.hostConnection()) === 0)
  await eventually('the end is told', () => closed.length === 1)
  assert.deepEqual(closed, ['clean'])
})

test('trap: send() after the peer is gone does nothing; close() and reset() then do not throw', async () => {
  const { pair, bytes, host } = await rawPair()
  await using _ = pair
  const closed: unknown[] = []
  bytes.onClose((error) => closed.push(error))
  host.bytes.reset(new Error('no more'))
  await eventually('the end is told', () => closed.length === 1)
  assert.ok(closed[0] instanceof Error)
  for (const end of [bytes, host.bytes]) {
    assert.equal(end.send(Buffer.from('x')), true)
    end.pause()
    end.resume()
    end.close()
    end.reset(new Error('again'))
  }
  await new Promise(setImmediate)
  assert.equal(closed.length, 1)
})

test('trap: close() of libp2p rejects when the connection dies under it; that is nobody else’s failure', async () => {
  const { pair, bytes } = await rawPair()
  await using _ = pair
  for (let i = 0; i < 100; i += 1) bytes.send(new Uint8Array(65_536)) // the host does not read: the close must wait
  const closed: unknown[] = []
  bytes.onClose((error) => closed.push(error ?? 'clean'))
  bytes.close()
  pair.connection.abort(new Error('cable pulled'))
  await eventually('the end is told', () => closed.length === 1)
  await new Promise(setImmediate) // an unhandled rejection would fail the test
})

test('trap: a peer that stops or dies looks like a clean end; the call hears link_lost', async () => {
  for (const kill of ['stop', 'socket'] as const) {
    const server = createRpcServer()
    const served = { contract: rigContract, handlers: rigHandlers() }
    await using pair = await startPair((stream, connection) => server.accept(libp2pStream(stream, connection), served, {}))
    const rpc = createRpcClient({ open: async () => libp2pStream(await pair.open(), pair.connection) })
    const call = rpc.client(rigContract).hang({})
    await eventually('the call runs', () => server.stats().callsInFlight === 1)
    const failed = assert.rejects(call, (error) => isAppError(error, 'link_lost'))
    if (kill === 'stop') await pair.host.stop()
    else pair.hostConnection()?.abort(new Error('killed'))
    await failed
    await eventually('the host has nothing left', () => server.stats().streams === 0)
    rpc.stop()
    server.stop()
  }
})

test('private field: streams of a TLS connection share one cork, which groups their writes', async () => {
  const { pair, bytes } = await rawPair()
  await using _ = pair
  const other = libp2pStream(await pair.open(), pair.connection)
  assert.equal(bytes.cork, other.cork)
  const { muxer } = pair.connection as unknown as { muxer: { maConn: { socket: { writableCorked: number; bytesWritten: number } } } }
  let corked = 0
  bytes.cork?.(() => (corked = muxer.maConn.socket.writableCorked))
  assert.equal(corked, 1)
  assert.equal(muxer.maConn.socket.writableCorked, 0)
})

test('a hundred calls at once over one connection use few streams and all end', async () => {
  const server = createRpcServer()
  const served = { contract: rigContract, handlers: rigHandlers() }
  await using pair = await startPair((stream, connection) => server.accept(libp2pStream(stream, connection), served, {}))
  const rpc = createRpcClient({ open: async () => libp2pStream(await pair.open(), pair.connection) }, { maxStreams: 16 })
  const rig = rpc.client(rigContract)
  await Promise.all(Array.from({ length: 100 }, async (_, i) => assert.equal((await rig.echo({ value: i })).value, i)))
  assert.ok(rpc.stats().streams <= 16)
  rpc.stop()
  await eventually('the host has nothing left', () => server.stats().streams === 0)
  server.stop()
})
