import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeStun, parseStun } from './stun-message.ts'
import type { StunMessage } from './stun-message.ts'

const TRANSACTION = 'b7e7a701bc34d686fa87dfae'

const MESSAGES: StunMessage[] = [
  { kind: 'request', transaction: TRANSACTION, username: 'aB3-_:x' },
  { kind: 'response', transaction: TRANSACTION, mapped: { host: '192.0.2.1', port: 32_853 } },
  { kind: 'response', transaction: TRANSACTION, mapped: { host: '255.0.255.255', port: 1 } },
]

for (const message of MESSAGES) {
  test(`${message.kind} ${JSON.stringify(message)} is read as it was written`, () =>
    assert.deepEqual(parseStun(encodeStun(message)), message))
}

test('an answer of the RFC that carries more than is asked is read', () => {
  // RFC 5769, 2.2, without integrity and fingerprint: SOFTWARE, then XOR-MAPPED-ADDRESS.
  const bytes = Buffer.from(
    `0101001c2112a442${TRANSACTION}8022000b7465737420766563746f7220002000080001a147e112a643`.replaceAll(' ', ''),
    'hex',
  )
  assert.deepEqual(parseStun(bytes), { kind: 'response', transaction: TRANSACTION, mapped: { host: '192.0.2.1', port: 32_853 } })
})

test('what is cut, longer than it says, unknown or of a form that no username has is no message', () => {
  const request = Buffer.from(encodeStun({ kind: 'request', transaction: TRANSACTION, username: 'abcdefgh' }))
  for (let length = 0; length < request.byteLength; length += 1) assert.equal(parseStun(request.subarray(0, length)), undefined)
  const changed = (at: number, byte: number): Buffer => {
    const copy = Buffer.from(request)
    copy[at] = byte
    return copy
  }
  const hostile = [
    Buffer.concat([request, Buffer.alloc(4)]),
    changed(0, 0x40), // QUIC
    changed(1, 0x11),
    changed(4, 0),
    changed(21, 0x08), // MESSAGE-INTEGRITY must be understood
    changed(23, 200),
    changed(24, 0),
    encodeStun({ kind: 'request', transaction: TRANSACTION, username: 'x'.repeat(65) }),
    encodeStun({ kind: 'request', transaction: TRANSACTION, username: '' }),
  ]
  for (const bytes of hostile) assert.equal(parseStun(bytes), undefined, Buffer.from(bytes).toString('hex'))
})

test('random bytes behind a good head never throw', () => {
  const head = Buffer.from(encodeStun({ kind: 'request', transaction: TRANSACTION, username: 'abcdefgh' }))
  let seed = 7
  const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) >>> 16
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = Buffer.from(head)
    for (let change = 0; change < 3; change += 1) bytes[next() % bytes.byteLength] = next() & 255
    parseStun(bytes)
  }
})
