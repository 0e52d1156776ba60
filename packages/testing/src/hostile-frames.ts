/**
 * Frames that a hostile or broken peer may send, built by hand from the wire's description, so that a mistake in our encoder
 * cannot hide here: `[u32 payload length][u8 kind][u32 call id][payload]`, big-endian.
 */
export const KIND = { call: 1, callOnly: 2, items: 3, chunk: 4, end: 5, error: 6, credit: 7, cancel: 8 } as const

/** `length` is what the header claims, whatever the payload is. */
export function rawFrame(kind: number, callId: number, payload: string | Uint8Array = '', length?: number): Uint8Array {
  const body = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
  const frame = new Uint8Array(9 + body.byteLength)
  const view = new DataView(frame.buffer)
  view.setUint32(0, length ?? body.byteLength)
  view.setUint8(4, kind)
  view.setUint32(5, callId)
  frame.set(body, 9)
  return frame
}

/** A call's first frame, with anything in it overridden. */
export const rawCall = (callId: number, head: Record<string, unknown>, kind: number = KIND.callOnly): Uint8Array =>
  rawFrame(kind, callId, JSON.stringify({ v: 1, method: 'echo', trace: 'tr_test', params: { value: 1 }, ...head }))

export const rawChunk = (callId: number, bytes: Uint8Array, isLast: boolean): Uint8Array =>
  rawFrame(KIND.chunk, callId, new Uint8Array([isLast ? 1 : 0, ...bytes]))

export const rawCredit = (callId: number, bytes: number): Uint8Array => {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setUint32(0, bytes)
  return rawFrame(KIND.credit, callId, payload)
}

/** JSON of `levels` nested arrays. */
export const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

export interface HostileCase {
  name: string
  /** What the peer writes, in order. */
  frames: Uint8Array[]
  /** `reset`: the stream is cut. Else the code of the error that answers, and the stream lives. */
  expect: string
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const call = (callId: number): Uint8Array => rawCall(callId, {})
const upload = (params: unknown): Uint8Array => rawCall(1, { params }, KIND.call)

/** To a host with a unary `echo` of `{ value }`. */
export const HOSTILE_TO_HOST: readonly HostileCase[] = [
  { name: 'garbage', frames: [utf8('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')], expect: 'reset' },
  { name: 'an oversized frame', frames: [rawFrame(KIND.callOnly, 1, '', 1_048_577)], expect: 'reset' },
  { name: 'the largest length there is', frames: [rawFrame(KIND.callOnly, 1, '', 0xffff_ffff)], expect: 'reset' },
  { name: 'kind 0', frames: [rawFrame(0, 1, '{}')], expect: 'reset' },
  { name: 'an unknown kind', frames: [rawFrame(9, 1, '{}')], expect: 'reset' },
  { name: 'an end with a payload', frames: [upload({}), rawFrame(KIND.end, 1, 'x')], expect: 'reset' },
  { name: 'a credit of three bytes', frames: [upload({}), rawFrame(KIND.credit, 1, 'abc')], expect: 'reset' },
  { name: 'an empty chunk frame', frames: [upload({}), rawFrame(KIND.chunk, 1)], expect: 'reset' },
  { name: 'a frame of a call to come', frames: [rawFrame(KIND.end, 7)], expect: 'reset' },
  { name: 'a call that skips ids', frames: [call(2)], expect: 'reset' },
  { name: 'call id 0', frames: [call(0)], expect: 'reset' },
  { name: 'a call within a call', frames: [upload({}), call(2)], expect: 'reset' },
  { name: 'the same call again', frames: [call(1), call(1)], expect: 'reset' },
  {
    name: 'a second end',
    frames: [rawCall(1, { method: 'hang', params: {} }, KIND.call), rawFrame(KIND.end, 1), rawFrame(KIND.end, 1)],
    expect: 'reset',
  },
  { name: 'items from a caller', frames: [upload({}), rawFrame(KIND.items, 1, '[1]')], expect: 'reset' },
  { name: 'a grant of what was never sent', frames: [rawCall(1, { method: 'hang', params: {} }), rawCredit(1, 1)], expect: 'reset' },
  { name: 'not JSON', frames: [rawFrame(KIND.callOnly, 1, '{"v":1,')], expect: 'bad_request' },
  { name: 'JSON that is no call', frames: [rawFrame(KIND.callOnly, 1, 'null')], expect: 'bad_request' },
  { name: 'an empty call', frames: [rawFrame(KIND.callOnly, 1)], expect: 'bad_request' },
  { name: 'bytes that are no UTF-8', frames: [rawFrame(KIND.callOnly, 1, new Uint8Array([0xff, 0xfe, 0]))], expect: 'bad_request' },
  { name: 'an unknown version', frames: [rawCall(1, { v: 2 })], expect: 'unsupported' },
  { name: 'an unknown method', frames: [rawCall(1, { method: 'nope' })], expect: 'unsupported' },
  { name: 'a method of Object', frames: [rawCall(1, { method: 'toString' })], expect: 'unsupported' },
  { name: 'the method __proto__', frames: [rawCall(1, { method: '__proto__' })], expect: 'unsupported' },
  { name: 'a long trace', frames: [rawCall(1, { trace: 'x'.repeat(10_000) })], expect: 'bad_request' },
  { name: 'input of the wrong type', frames: [rawCall(1, { method: 'count', params: { to: 'many' } })], expect: 'bad_request' },
  {
    name: 'deep input',
    frames: [rawFrame(KIND.callOnly, 1, `{"v":1,"method":"echo","trace":"t","params":{"value":${nested(100)}}}`)],
    expect: 'bad_request',
  },
  {
    name: 'very deep input',
    frames: [rawFrame(KIND.callOnly, 1, `{"v":1,"method":"echo","trace":"t","params":{"value":${nested(400_000)}}}`)],
    expect: 'bad_request',
  },
  { name: 'an unknown tag', frames: [rawCall(1, { params: { value: { $type: 'function' } } })], expect: 'bad_request' },
  { name: 'a chunk that is not there', frames: [rawCall(1, { params: { value: { $type: 'chunk', index: 0 } } })], expect: 'bad_request' },
  {
    name: 'a chunk that nothing refers to',
    frames: [upload({ value: 1 }), rawChunk(1, utf8('x'), true), rawFrame(KIND.end, 1)],
    expect: 'bad_request',
  },
  {
    name: 'a chunk without its end',
    frames: [upload({ value: { $type: 'chunk', index: 0 } }), rawChunk(1, utf8('x'), false), rawFrame(KIND.end, 1)],
    expect: 'bad_request',
  },
  {
    name: 'a chunk with a wild flag',
    frames: [upload({}), rawFrame(KIND.chunk, 1, new Uint8Array([7, 1])), rawFrame(KIND.end, 1)],
    expect: 'bad_request',
  },
  {
    name: '__proto__ in the input',
    frames: [rawFrame(KIND.callOnly, 1, '{"v":1,"method":"echo","trace":"t","params":{"value":{"__proto__":{"a":1}}}}')],
    expect: 'bad_request',
  },
]

/** To a caller that waits for the answer of call 1; `expect` is the code its caller hears. A reset is `link_lost` or the breach itself. */
export const HOSTILE_TO_CALLER: readonly HostileCase[] = [
  { name: 'garbage', frames: [utf8('HTTP/1.1 400 Bad Request\r\n\r\n')], expect: 'reset' },
  { name: 'an oversized frame', frames: [rawFrame(KIND.items, 1, '', 2_000_000)], expect: 'reset' },
  { name: 'a frame of a call to come', frames: [rawFrame(KIND.items, 2, '[{"value":1}]')], expect: 'reset' },
  { name: 'a call', frames: [call(1)], expect: 'reset' },
  { name: 'a cancel', frames: [rawFrame(KIND.cancel, 1)], expect: 'reset' },
  { name: 'an error that is none', frames: [rawFrame(KIND.error, 1, '{"code":7}')], expect: 'reset' },
  { name: 'an error that is not JSON', frames: [rawFrame(KIND.error, 1, 'oops')], expect: 'reset' },
  { name: 'items that are no array', frames: [rawFrame(KIND.items, 1, '{"value":1}'), rawFrame(KIND.end, 1)], expect: 'bad_request' },
  { name: 'items that are not JSON', frames: [rawFrame(KIND.items, 1, '[{]'), rawFrame(KIND.end, 1)], expect: 'bad_request' },
  { name: 'deep items', frames: [rawFrame(KIND.items, 1, `[{"value":${nested(100)}}]`), rawFrame(KIND.end, 1)], expect: 'bad_request' },
  { name: 'an end without an answer', frames: [rawFrame(KIND.end, 1)], expect: 'unsupported' },
  { name: 'two answers', frames: [rawFrame(KIND.items, 1, '[{"value":1},{"value":2}]'), rawFrame(KIND.end, 1)], expect: 'unsupported' },
  { name: 'an answer that does not fit', frames: [rawFrame(KIND.items, 1, '[7]'), rawFrame(KIND.end, 1)], expect: 'unsupported' },
  {
    name: 'two items after a chunk',
    frames: [rawChunk(1, utf8('x'), true), rawFrame(KIND.items, 1, '[{"value":1},{"value":2}]'), rawFrame(KIND.end, 1)],
    expect: 'bad_request',
  },
  {
    name: 'a chunk that nothing refers to',
    frames: [rawChunk(1, utf8('x'), true), rawFrame(KIND.items, 1, '[{"value":1}]'), rawFrame(KIND.end, 1)],
    expect: 'bad_request',
  },
  { name: 'an error of a newer version', frames: [rawFrame(KIND.error, 1, '{"code":"brand_new","message":"m"}')], expect: 'internal' },
]
