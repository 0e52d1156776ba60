import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { AppError, LIMITS, isAppError, toAppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { HOSTILE_TO_CALLER, HOSTILE_TO_HOST, KIND, eventually, rawCall, rawChunk, rawCredit, rawFrame } from '@qmtcode/testing'
import { createRpcClient } from './client.ts'
import { FRAME, createFrameReader } from './frames.ts'
import type { Frame } from './frames.ts'
import { rigContract, rigHandlers } from './rpc-rig.ts'
import { createRpcServer } from './server.ts'
import { memoryStreamPair } from './streams/memory.ts'
import type { ByteStream, RpcClient, RpcServer } from './types.ts'

/** A peer that writes frames by hand, and what it sees. */
interface RawPeer {
  stream: ByteStream
  frames: Frame[]
  closed: { error?: Error }[]
}

function rawPeer(stream: ByteStream): RawPeer {
  const peer: RawPeer = { stream, frames: [], closed: [] }
  const reader = createFrameReader((frame) => peer.frames.push({ ...frame, payload: Buffer.from(frame.payload) }))
  stream.onData(reader.push)
  stream.onClose((error) => peer.closed.push({ error }))
  return peer
}

function hostileCaller(server: RpcServer, handlers = rigHandlers()): RawPeer {
  const [theirs, ours] = memoryStreamPair()
  server.accept(ours, { contract: rigContract, handlers }, { peerId: 'hostile' as PeerId })
  return rawPeer(theirs)
}

function hostileHost(): { rpc: RpcClient; peers: RawPeer[] } {
  const peers: RawPeer[] = []
  const open = async (): Promise<ByteStream> => {
    const [ours, theirs] = memoryStreamPair()
    peers.push(rawPeer(theirs))
    return ours
  }
  return { rpc: createRpcClient({ open }, { frameTimeoutMs: 50 }), peers }
}

const codesOf = ({ frames }: RawPeer): string[] =>
  frames.filter(({ kind }) => kind === FRAME.error).map(({ payload }) => (JSON.parse(payload.toString()) as { code: string }).code)

/** Uploads within its credit, never ending, until `bytes` are sent or an error answers. */
async function uploadUntil(peer: RawPeer, bytes: number): Promise<void> {
  const piece = rawChunk(1, new Uint8Array(100_000), false)
  const cost = piece.byteLength - 9 + 256
  const granted = (): number =>
    LIMITS.callCreditBytes + peer.frames.reduce((sum, { kind, payload }) => sum + (kind === FRAME.credit ? payload.readUInt32BE(0) : 0), 0)
  peer.stream.send(rawCall(1, { method: 'size', params: { bytes: { $type: 'chunk', index: 0 } } }, KIND.call))
  for (let sent = 0; sent < bytes && codesOf(peer).length === 0;) {
    if (sent < granted()) {
      peer.stream.send(piece)
      sent += cost
    } else {
      await new Promise(setImmediate)
    }
  }
}

suite('a hostile caller', () => {
  for (const { name, frames, expect } of HOSTILE_TO_HOST) {
    test(`${name}: ${expect}`, async () => {
      const server = createRpcServer()
      const peer = hostileCaller(server)
      for (const frame of frames) peer.stream.send(frame)
      if (expect === 'reset') {
        await eventually('the stream is reset', () => peer.closed.length === 1)
        assert.deepEqual([server.stats().streams, server.stats().callsInFlight], [0, 0])
      } else {
        await eventually('an error answers', () => codesOf(peer).length === 1)
        assert.deepEqual(codesOf(peer), [expect])
        assert.equal(server.stats().streams, 1)
        peer.stream.send(rawCall(2, {}))
        await eventually('the next call is served', () => peer.frames.some(({ kind, callId }) => kind === FRAME.end && callId === 2))
      }
      server.stop()
    })
  }

  test('an unknown version or method is answered with both versions', async () => {
    const server = createRpcServer()
    const peer = hostileCaller(server)
    peer.stream.send(rawCall(1, { v: 9 }))
    await eventually('an error answers', () => codesOf(peer).length === 1)
    peer.stream.send(rawCall(2, { method: 'nope' }))
    await eventually('an error answers', () => codesOf(peer).length === 2)
    const [version, method] = peer.frames.filter(({ kind }) => kind === FRAME.error).map(({ payload }) => payload.toString())
    assert.match(version ?? '', /version 9.*version 1/)
    assert.match(method ?? '', /rig version 1.*no method \\"nope\\".*version 1 of the caller, 1 here/)
    server.stop()
  })

  test('a flood of input after the call failed is dropped, ungranted, and the stream lives on', async () => {
    const server = createRpcServer()
    const peer = hostileCaller(server)
    peer.stream.send(rawCall(1, { method: 'nope' }, KIND.call))
    const piece = rawChunk(1, new Uint8Array(500_000), false)
    for (let i = 0; i < 20; i += 1) peer.stream.send(piece)
    peer.stream.send(rawFrame(KIND.cancel, 1))
    await eventually('an error answers', () => codesOf(peer).length === 1)
    peer.stream.send(rawCall(2, {}))
    await eventually('the next call is served', () => peer.frames.some(({ kind, callId }) => kind === FRAME.end && callId === 2))
    assert.equal(peer.frames.filter(({ kind }) => kind === FRAME.credit).length, 0)
    server.stop()
  })

  test('an endless upload ends at the size of a call', async () => {
    const server = createRpcServer()
    const peer = hostileCaller(server)
    await uploadUntil(peer, LIMITS.callBytes * 2)
    assert.deepEqual(codesOf(peer), ['too_large'])
    server.stop()
  })

  test('one peer cannot hold more than its share, over however many streams', async () => {
    const server = createRpcServer()
    const peers = Array.from({ length: 4 }, () => hostileCaller(server))
    for (const peer of peers) await uploadUntil(peer, 50_000_000)
    assert.deepEqual(peers.flatMap(codesOf), ['busy', 'busy'])
    server.stop()
  })

  test('JSON of countless values is refused before it is parsed', async () => {
    const server = createRpcServer()
    const peer = hostileCaller(server)
    const bomb = Buffer.from(`[${'[],'.repeat(LIMITS.callValues)}0]`)
    peer.stream.send(rawCall(1, { method: 'echo', params: { $type: 'json', index: 0 } }, KIND.call))
    for (let at = 0; at < bomb.length; at += 50_000) {
      peer.stream.send(rawChunk(1, bomb.subarray(at, at + 50_000), at + 50_000 >= bomb.length))
      await new Promise(setImmediate)
    }
    peer.stream.send(rawFrame(KIND.end, 1))
    await eventually('an error answers', () => codesOf(peer).length === 1)
    assert.deepEqual(codesOf(peer), ['too_large'])
    server.stop()
  })

  test('the JSON of calls under way is at the expense of the peer that sent it', async () => {
    const server = createRpcServer()
    const peers = Array.from({ length: 10 }, () => hostileCaller(server))
    const call = rawCall(1, { method: 'hang', params: { ignored: Array.from({ length: 200_000 }, () => []) } })
    for (const peer of peers) peer.stream.send(call)
    await eventually('some are refused', () => peers.flatMap(codesOf).length >= 3)
    assert.ok(peers.flatMap(codesOf).every((code) => code === 'busy'))
    for (const peer of peers) peer.stream.send(rawFrame(KIND.cancel, 1))
    await eventually('all are over', () => server.stats().callsInFlight === 0)
    const [again] = peers
    again?.stream.send(rawCall(2, {}))
    await eventually('its share is free again', () => again?.frames.some(({ kind, callId }) => kind === FRAME.end && callId === 2) ?? false)
    server.stop()
  })

  test('a value in countless pieces is refused', async () => {
    const server = createRpcServer()
    const peer = hostileCaller(server)
    peer.stream.send(rawCall(1, { method: 'size', params: { bytes: { $type: 'chunk', index: 0 } } }, KIND.call))
    const pieces = Buffer.concat(Array.from({ length: 100 }, () => rawChunk(1, new Uint8Array(1), false)))
    for (let i = 0; i < 1_000 && codesOf(peer).length === 0; i += 1) {
      peer.stream.send(pieces)
      await new Promise(setImmediate)
    }
    assert.deepEqual(codesOf(peer), ['too_large'])
    server.stop()
  })

  test('a frame that does not end is cut; one that is slow but ends is served', async () => {
    const server = createRpcServer()
    const strict = createRpcServer({}, { frameTimeoutMs: 60 })
    const slow = hostileCaller(server)
    const never = hostileCaller(strict)
    const call = rawCall(1, {})
    never.stream.send(call.subarray(0, 20))
    for (const byte of call) {
      slow.stream.send(Uint8Array.of(byte))
      await new Promise(setImmediate)
    }
    await eventually('the slow one is served', () => slow.frames.some(({ kind }) => kind === FRAME.end))
    await eventually('the endless one is cut', () => never.closed.length === 1)
    strict.stop()
    server.stop()
  })

  test('a peer that never reads: its host stops producing, and cannot be made to pile up answers', async () => {
    const server = createRpcServer()
    let produced = 0
    const [theirs, ours] = memoryStreamPair() // nobody listens on `theirs`
    const handlers = {
      ...rigHandlers(),
      async *count({ tag }: { tag: string }) {
        for (let n = 0; ; n += 1) {
          produced += 1
          yield { n, tag, pad: 'x'.repeat(10_000) }
        }
      },
    }
    server.accept(ours, { contract: rigContract, handlers }, {})
    theirs.send(rawCall(1, { method: 'count', params: { to: 1, tag: 'x' } }))
    await eventually('it produces', () => produced > 20)
    for (let i = 0; i < 50; i += 1) await new Promise(setImmediate)
    assert.ok(produced < 60, `${produced} items of 10 kB for a credit of 256 KiB`)
    for (let id = 2; id < 5_000 && server.stats().streams > 0; id += 1) {
      theirs.send(rawFrame(KIND.cancel, id - 1))
      theirs.send(rawCall(id, { method: 'nope' }))
      if (id % 100 === 0) await new Promise(setImmediate)
    }
    await eventually('the stream is reset', () => server.stats().streams === 0)
    assert.ok(server.stats().bytesOut < 2_000_000)
  })

  test('credits that never come end with the caller, and its handler hears', async () => {
    const seen = { aborted: [] as unknown[], running: 0 }
    const server = createRpcServer()
    const peer = hostileCaller(server, rigHandlers(seen))
    peer.stream.send(rawCall(1, { method: 'count', params: { to: 1e9, tag: 'x', pad: 10_000 } }))
    await eventually('items come', () => peer.frames.length > 3)
    peer.stream.reset(new Error('gone'))
    await eventually('all is over', () => seen.running === 0 && server.stats().streams === 0)
    assert.ok(isAppError(seen.aborted[0], 'link_lost'))
  })

  test('late frames are ignored, however many', async () => {
    const server = createRpcServer()
    const peer = hostileCaller(server)
    peer.stream.send(rawCall(1, {}))
    await eventually('an answer', () => peer.frames.some(({ kind }) => kind === FRAME.end))
    for (let i = 0; i < 2_000; i += 1) peer.stream.send(i % 2 ? rawFrame(KIND.cancel, 1) : rawCredit(1, 1_000_000))
    peer.stream.send(rawCall(2, {}))
    await eventually('the next answer', () => peer.frames.some(({ kind, callId }) => kind === FRAME.end && callId === 2))
    assert.equal(server.stats().streams, 1)
    server.stop()
  })

  test('streams beyond the allowed number are reset', async () => {
    const server = createRpcServer({}, { maxStreams: 2 })
    const peers = [hostileCaller(server), hostileCaller(server), hostileCaller(server)]
    await eventually('the third is reset', () => peers[2]?.closed.length === 1)
    assert.equal(server.stats().streams, 2)
    server.stop()
  })
})

suite('a hostile host', () => {
  for (const { name, frames, expect } of HOSTILE_TO_CALLER) {
    test(`${name}: ${expect}`, async () => {
      const { rpc, peers } = hostileHost()
      const answer = rpc
        .client(rigContract)
        .echo({ value: 1 })
        .then(
          () => 'an answer',
          (error: unknown) => toAppError(error),
        )
      await eventually('the call arrives', () => peers[0]?.frames.length === 1)
      for (const frame of frames) peers[0]?.stream.send(frame)
      const error = await answer
      assert.ok(error instanceof AppError, String(error))
      if (expect === 'reset') await eventually('the stream is reset', () => peers[0]?.closed.length === 1)
      else assert.equal(error.code, expect)
      rpc.stop()
    })
  }

  test('an endless frame: the caller hears within the frame timeout', async () => {
    const { rpc, peers } = hostileHost()
    const answer = rpc.client(rigContract).echo({ value: 1 })
    await eventually('the call arrives', () => peers[0]?.frames.length === 1)
    peers[0]?.stream.send(rawFrame(KIND.items, 1, '[{"value":', 1_000))
    await assert.rejects(answer, (error) => isAppError(error, 'timeout'))
    rpc.stop()
  })

  test('items beyond the credit cut the stream; a reader that stands still never holds more', async () => {
    const { rpc, peers } = hostileHost()
    const items = rpc.client(rigContract).count({ to: 1, tag: 'x' })[Symbol.asyncIterator]()
    const first = items.next()
    await eventually('the call arrives', () => peers[0]?.frames.length === 1)
    peers[0]?.stream.send(rawFrame(KIND.items, 1, '[{"n":0,"tag":"x"}]'))
    await first
    const big = rawFrame(KIND.items, 1, JSON.stringify([{ n: 1, tag: 'x', pad: 'x'.repeat(400_000) }]))
    for (let i = 0; i < 5; i += 1) peers[0]?.stream.send(big)
    await eventually('the stream is reset', () => peers[0]?.closed.length === 1)
    rpc.stop()
  })

  test('a million tiny frames are not free', async () => {
    const { rpc, peers } = hostileHost()
    const items = rpc.client(rigContract).count({ to: 1, tag: 'x' })[Symbol.asyncIterator]()
    const first = items.next()
    await eventually('the call arrives', () => peers[0]?.frames.length === 1)
    const tiny = rawFrame(KIND.items, 1, '[{"n":0,"tag":"x"}]')
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => tiny))
    for (let i = 0; i < 10; i += 1) peers[0]?.stream.send(many)
    await first
    await eventually('the stream is reset', () => peers[0]?.closed.length === 1)
    rpc.stop()
  })

  test('no answer to a cancel: the stream is reset, the consumer did not wait for it', async () => {
    const { rpc, peers } = hostileHost()
    await assert.rejects(rpc.client(rigContract).hang({}, { timeoutMs: 20 }), (error) => isAppError(error, 'timeout'))
    await eventually('the stream is reset', () => peers[0]?.closed.length === 1)
    rpc.stop()
  })

  test('closes in the middle of a frame: a lost link', async () => {
    const { rpc, peers } = hostileHost()
    const answer = rpc.client(rigContract).echo({ value: 1 })
    await eventually('the call arrives', () => peers[0]?.frames.length === 1)
    peers[0]?.stream.send(rawFrame(KIND.items, 1, '[{"value":1}]').subarray(0, 15))
    peers[0]?.stream.close()
    await assert.rejects(answer, (error) => isAppError(error, 'link_lost'))
    rpc.stop()
  })
})
