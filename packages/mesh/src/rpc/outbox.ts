import type { Flushable } from './flusher.ts'
import type { ByteStream } from './types.ts'

const JOIN_BYTES = 131_072 // frames up to this together are one write

export interface ByteCounters {
  bytesIn: number
  bytesOut: number
}

/** Frames of one stream on their way out. Keeps order; holds them back while the transport is full. */
export interface Outbox extends Flushable {
  push(frame: Buffer): void
  isBlocked(): boolean
  /** Whether frames wait here, unseen by the transport. */
  isEmpty(): boolean
  /** Total of bytes handed to the transport. */
  sentBytes(): number
  /** Total of bytes given to be sent, also of those that wait here: a call is noted when it ends, before its last frames leave. */
  givenBytes(): number
  drained(): void
  clear(): void
}

export function createOutbox(stream: ByteStream, hooks: { counters: ByteCounters; beforeFlush(): void; afterDrain(): void }): Outbox {
  let frames: Buffer[] = []
  let isBlocked = false
  let sentBytes = 0
  let givenBytes = 0

  const send = (bytes: Buffer): boolean => {
    sentBytes += bytes.byteLength
    hooks.counters.bytesOut += bytes.byteLength
    isBlocked = !stream.send(bytes)
    return !isBlocked
  }
  const sendAll = (): void => {
    const batch = frames
    frames = []
    const total = batch.reduce((sum, frame) => sum + frame.byteLength, 0)
    if (batch.length > 1 && total <= JOIN_BYTES) {
      send(Buffer.concat(batch, total))
      return
    }
    const unsent = batch.findIndex((frame) => !send(frame)) + 1
    if (unsent > 0) frames = [...batch.slice(unsent), ...frames]
  }
  const flush = (): void => {
    if (isBlocked) return
    hooks.beforeFlush()
    if (frames.length > 0) sendAll()
  }
  return {
    push(frame) {
      givenBytes += frame.byteLength
      frames.push(frame)
    },
    isBlocked: () => isBlocked,
    isEmpty: () => frames.length === 0,
    sentBytes: () => sentBytes,
    givenBytes: () => givenBytes,
    flush,
    drained() {
      isBlocked = false
      flush()
      if (!isBlocked) hooks.afterDrain()
    },
    clear() {
      frames = []
    },
  }
}
