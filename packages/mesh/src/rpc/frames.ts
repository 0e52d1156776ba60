import { AppError, LIMITS } from '@qmtcode/protocol'

/**
 * The wire: `[u32 payload length][u8 kind][u32 call id][payload]`, big-endian.
 * `call`: a first frame with input to follow; `callOnly`: one that is the whole input. `items`: a JSON array. `chunk`: `[u8 last][bytes]`.
 * `end`: no payload. `error`: a WireError. `credit`: u32, bytes the reader grants. `cancel`: no payload.
 */
export const FRAME = { call: 1, callOnly: 2, items: 3, chunk: 4, end: 5, error: 6, credit: 7, cancel: 8 } as const
export type FrameKind = (typeof FRAME)[keyof typeof FRAME]

export const HEADER_BYTES = 9
export const MAX_CALL_ID = 0xffff_ffff

/** Version of this layout and its rules; `v` of every call. */
export const RPC_VERSION = 1

const LAST_KIND = FRAME.cancel
const FIRST_PARTIAL_BYTES = 16_384

export interface Frame {
  kind: FrameKind
  callId: number
  /** Valid during the callback only: it may be a view of a transport's buffer. */
  payload: Buffer
}

/** A frame in memory of its own, which a transport may keep. */
export function encodeFrame(kind: FrameKind, callId: number, payload: string | Uint8Array = ''): Buffer {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length)
  writeHeader(frame, { kind, callId, length })
  if (typeof payload === 'string') frame.write(payload, HEADER_BYTES, 'utf8')
  else frame.set(payload, HEADER_BYTES)
  return frame
}

export function encodeChunk(callId: number, bytes: Uint8Array, isLast: boolean): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + 1 + bytes.byteLength)
  writeHeader(frame, { kind: FRAME.chunk, callId, length: 1 + bytes.byteLength })
  frame[HEADER_BYTES] = isLast ? 1 : 0
  frame.set(bytes, HEADER_BYTES + 1)
  return frame
}

export function encodeCredit(callId: number, bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + 4)
  writeHeader(frame, { kind: FRAME.credit, callId, length: 4 })
  frame.writeUInt32BE(bytes, HEADER_BYTES)
  return frame
}

function writeHeader(frame: Buffer, header: { kind: FrameKind; callId: number; length: number }): void {
  frame.writeUInt32BE(header.length, 0)
  frame[4] = header.kind
  frame.writeUInt32BE(header.callId, 5)
}

export interface FrameReader {
  /** Calls `onFrame` for each whole frame. Throws bad_request for what cannot be a frame; the stream is then beyond repair. */
  push(bytes: Uint8Array): void
  /** Whether a frame has begun and not ended. */
  isPartial(): boolean
}

/** Cuts a byte stream into frames. Holds at most one partial frame, and of it no more than twice what arrived. */
export function createFrameReader(onFrame: (frame: Frame) => void): FrameReader {
  let held = Buffer.alloc(0)
  let heldBytes = 0

  const hold = (bytes: Buffer, frameBytes: number): void => {
    const needed = heldBytes + bytes.byteLength
    if (needed > held.byteLength) {
      const size = Math.min(Math.max(frameBytes, needed), Math.max(needed, held.byteLength * 2, FIRST_PARTIAL_BYTES))
      const grown = Buffer.allocUnsafeSlow(size)
      held.copy(grown, 0, 0, heldBytes)
      held = grown
    }
    bytes.copy(held, heldBytes)
    heldBytes = needed
  }

  /** Fills the held frame from `bytes`; returns how many it took. */
  const complete = (bytes: Buffer): number => {
    const forHeader = Math.max(0, Math.min(HEADER_BYTES - heldBytes, bytes.byteLength))
    if (forHeader > 0) hold(bytes.subarray(0, forHeader), HEADER_BYTES)
    if (heldBytes < HEADER_BYTES) return forHeader
    const frameBytes = frameBytesOf(held)
    const forPayload = Math.min(frameBytes - heldBytes, bytes.byteLength - forHeader)
    hold(bytes.subarray(forHeader, forHeader + forPayload), frameBytes)
    if (heldBytes === frameBytes) {
      const frame = held.subarray(0, frameBytes)
      held = Buffer.alloc(0)
      heldBytes = 0
      onFrame(decode(frame))
    }
    return forHeader + forPayload
  }

  return {
    isPartial: () => heldBytes > 0,
    push(input) {
      const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
      let at = heldBytes > 0 ? complete(bytes) : 0
      while (bytes.byteLength - at >= HEADER_BYTES) {
        const rest = bytes.subarray(at)
        const frameBytes = frameBytesOf(rest)
        if (rest.byteLength < frameBytes) break
        at += frameBytes
        onFrame(decode(rest.subarray(0, frameBytes)))
      }
      if (at < bytes.byteLength) hold(bytes.subarray(at), HEADER_BYTES)
    },
  }
}

/** Length of the frame that `bytes` begins; checks the header, so that a hostile length never allocates. */
function frameBytesOf(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0)
  const kind = bytes[4] ?? 0
  if (length > LIMITS.frameBytes) throw new AppError('too_large', `a frame of ${length} bytes; the limit is ${LIMITS.frameBytes}`)
  if (kind < FRAME.call || kind > LAST_KIND) throw new AppError('bad_request', `a frame of unknown kind ${kind}`)
  if (length !== 0 && (kind === FRAME.end || kind === FRAME.cancel))
    throw new AppError('bad_request', `a frame of kind ${kind} with a payload`)
  if (length !== 4 && kind === FRAME.credit) throw new AppError('bad_request', 'a credit frame that is not 4 bytes')
  if (length === 0 && (kind === FRAME.items || kind === FRAME.chunk)) throw new AppError('bad_request', `an empty frame of kind ${kind}`)
  return HEADER_BYTES + length
}

function decode(frame: Buffer): Frame {
  return { kind: frame[4] as FrameKind, callId: frame.readUInt32BE(5), payload: frame.subarray(HEADER_BYTES) }
}
