import type { ByteStream } from '../rpc/types.ts'

/** Bytes of one peer's calls, both directions. */
export interface Meter {
  bytesIn: number
  bytesOut: number
}

/** A meter of one line, whose bytes count in `whole` too. */
export function lineMeter(whole: Meter): Meter {
  const own = { bytesIn: 0, bytesOut: 0 }
  return {
    get bytesIn() {
      return own.bytesIn
    },
    set bytesIn(bytes) {
      whole.bytesIn += bytes - own.bytesIn
      own.bytesIn = bytes
    },
    get bytesOut() {
      return own.bytesOut
    },
    set bytesOut(bytes) {
      whole.bytesOut += bytes - own.bytesOut
      own.bytesOut = bytes
    },
  }
}

/**
 * Tells whether bytes came since it was asked last. What peers call here counts for the link as a whole; beside other lines it says nothing
 * about one of them.
 */
export function trafficOf({ line, whole, isAlone }: { line: Meter; whole: Meter; isAlone(): boolean }): () => boolean {
  let before = { line: line.bytesIn, whole: whole.bytesIn }
  return () => {
    const now = { line: line.bytesIn, whole: whole.bytesIn }
    const hasMore = isAlone() ? now.whole > before.whole : now.line > before.line
    before = now
    return hasMore
  }
}

/** `stream` with its bytes counted. Keeps `cork` itself: streams that share it are flushed together. */
export function meteredStream(stream: ByteStream, meter: Meter): ByteStream {
  return {
    send(bytes) {
      meter.bytesOut += bytes.byteLength
      return stream.send(bytes)
    },
    onData(listener) {
      stream.onData((bytes) => {
        meter.bytesIn += bytes.byteLength
        listener(bytes)
      })
    },
    onDrain: (listener) => stream.onDrain(listener),
    onClose: (listener) => stream.onClose(listener),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    close: () => stream.close(),
    reset: (reason) => stream.reset(reason),
    ...(stream.cork ? { cork: stream.cork } : {}),
  }
}
