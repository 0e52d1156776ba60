import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { eventually } from '@qmtcode/testing'
import { startPair } from '../rpc/libp2p-rig.ts'
import { wireOf } from '../testing/stranger.ts'
import { createFrameCounter } from './wire-guard.ts'

const KIB = 1_024

/** A stream whose host reads all that comes, and how many frames of the muxer come back. */
async function openCounted(onBytes: (bytes: number) => void) {
  const accepted: Stream[] = []
  const pair = await startPair((stream) => {
    accepted.push(stream)
    stream.addEventListener('message', ({ data }) => onBytes(data.byteLength))
  })
  const count = createFrameCounter()
  let frames = 0
  wireOf(pair.connection).addEventListener('message', ({ data }: StreamMessageEvent) => {
    for (const bytes of data instanceof Uint8Array ? [data] : data) frames += count(bytes)
  })
  const stream = await pair.open()
  await eventually('the host has the stream', () => accepted.length === 1)
  return { pair, stream, frames: () => frames }
}

test('messages far below the window cost their reader no frame', async () => {
  let received = 0
  const { pair, stream, frames } = await openCounted((bytes) => (received += bytes))
  await using _ = pair
  const before = frames()
  for (let message = 1; message <= 100; message += 1) {
    stream.send(new Uint8Array(200))
    await eventually('it is there', () => received === message * 200)
  }
  assert.ok(frames() - before <= 3, `${frames() - before} frames came back`) // the muxer pings, too
})

test('a stream carries any number of bytes: window comes back before it is used up', async () => {
  let received = 0
  const { pair, stream, frames } = await openCounted((bytes) => (received += bytes))
  await using _ = pair
  const chunk = 50 * KIB
  for (let sent = 0; sent < 100 * chunk; sent += chunk) {
    if (!stream.send(new Uint8Array(chunk))) await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
  }
  await eventually('all is there', () => received === 100 * chunk)
  assert.ok(frames() <= (100 * chunk) / (64 * KIB), `${frames()} frames came back`)
})
