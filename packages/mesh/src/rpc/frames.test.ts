import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS, isAppError } from '@qmtcode/protocol'
import { rawFrame } from '@qmtcode/testing'
import { FRAME, createFrameReader, encodeChunk, encodeCredit, encodeFrame } from './frames.ts'
import type { Frame } from './frames.ts'

const WIRE: [name: string, frame: Buffer, hex: string][] = [
  ['call', encodeFrame(FRAME.call, 1, '{}'), '00000002 01 00000001 7b7d'],
  ['callOnly', encodeFrame(FRAME.callOnly, 2, '{}'), '00000002 02 00000002 7b7d'],
  ['items', encodeFrame(FRAME.items, 258, '[1]'), '00000003 03 00000102 5b315d'],
  ['chunk, more follows', encodeChunk(3, Buffer.from([0xab]), false), '00000002 04 00000003 00 ab'],
  ['chunk, the last', encodeChunk(3, Buffer.from([0xab]), true), '00000002 04 00000003 01 ab'],
  ['end', encodeFrame(FRAME.end, 4), '00000000 05 00000004'],
  ['error', encodeFrame(FRAME.error, 5, '{}'), '00000002 06 00000005 7b7d'],
  ['credit', encodeCredit(6, 131_072), '00000004 07 00000006 00020000'],
  ['cancel', encodeFrame(FRAME.cancel, 0xffff_ffff), '00000000 08 ffffffff'],
  ['text that is not ASCII', encodeFrame(FRAME.items, 1, '["é"]'), '00000006 03 00000001 5b22c3a9225d'],
]

for (const [name, frame, hex] of WIRE) {
  test(`wire: ${name}`, () => {
    assert.equal(frame.toString('hex'), hex.replaceAll(' ', ''))
    assert.deepEqual(
      readAll([frame]).map(({ kind, callId }) => [kind, callId]),
      [[frame[4], frame.readUInt32BE(5)]],
    )
  })
}

test('cuts frames out of pieces of any size', () => {
  const bytes = Buffer.concat(WIRE.map(([, frame]) => frame))
  const whole = readAll([bytes])
  assert.equal(whole.length, WIRE.length)
  for (const size of [1, 2, 3, 7, 8, 9, 10, 11, 26]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
    assert.deepEqual(readAll(pieces), whole, `pieces of ${size}`)
  }
})

test('a frame of the largest size passes in pieces, in time linear to its size', () => {
  const payload = Buffer.alloc(LIMITS.frameBytes, 7)
  const frame = encodeFrame(FRAME.items, 1, payload)
  const pieces = Array.from({ length: Math.ceil(frame.length / 64) }, (_, i) => frame.subarray(i * 64, (i + 1) * 64))
  assert.equal(readAll(pieces)[0]?.payload.equals(payload), true)
})

test('refuses a length above the limit from the header alone', () => {
  const reader = createFrameReader(() => assert.fail('no frame'))
  assert.throws(
    () => reader.push(rawFrame(FRAME.items, 1, '', LIMITS.frameBytes + 1)),
    (error: unknown) => isAppError(error, 'too_large') && /1048577/.test(error.message),
  )
})

function readAll(pieces: Uint8Array[]): Frame[] {
  const frames: Frame[] = []
  const reader = createFrameReader((frame) => frames.push({ ...frame, payload: Buffer.from(frame.payload) }))
  for (const piece of pieces) reader.push(piece)
  assert.equal(reader.isPartial(), false)
  return frames
}
