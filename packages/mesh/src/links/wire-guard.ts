import type { MessageStream, StreamMessageEvent, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock } from '@qmtcode/protocol'

/** No stream's window grows beyond this, so no honest frame does. The muxer alone would gather one of 4 GiB. */
export const MAX_WINDOW_BYTES = 1_048_576
/** Streams stop well below this, but the muxer answers pings into memory for as long as they come. Twelve bytes there take three hundred. */
export const MAX_UNSENT_BYTES = 4_194_304

/** What a stranger may cost in all, and more each second: identify, three handshakes and a year of pings fit. */
const STRANGER_COST = 262_144
const STRANGER_COST_PER_SECOND = 4_096
/** Of a frame beside its bytes: 12 bytes open a stream, which takes a millisecond. */
export const FRAME_COST = 1_024

export interface WireGuardOptions {
  /** Asked when a connection has cost more than a stranger's may; true holds until it closes. */
  isTrusted(muxer: StreamMuxer): boolean
}

type MuxerMaker<Made> = (components: Made) => StreamMuxerFactory

/** Muxers of `make` whose connections are cut when the other side sends frames of impossible size, does not read, or is a stranger and busy. */
export function guardedMuxer<Made>(make: MuxerMaker<Made>, components: { clock: Clock }, options: WireGuardOptions): MuxerMaker<Made> {
  return (made) => {
    const factory = make(made)
    return {
      protocol: factory.protocol,
      createStreamMuxer(maConn) {
        const watch = createWatch(maConn, components.clock)
        const cut = (error: Error): void => {
          muxer.abort(error)
          maConn.abort(error)
        }
        // Before the muxer's own listener: what breaks the rules is cut before it is worked on.
        maConn.addEventListener('message', ({ data }: StreamMessageEvent) => {
          if (maConn.status !== 'open') return
          try {
            watch(data, () => options.isTrusted(muxer))
          } catch (error) {
            cut(error instanceof Error ? error : new Error(String(error)))
          }
        })
        const muxer = factory.createStreamMuxer(maConn)
        return muxer
      },
    }
  }
}

/** Counts what arrives. Throws too_large or rate_limited. */
function createWatch(maConn: MessageStream, clock: Clock): (data: StreamMessageEvent['data'], isTrusted: () => boolean) => void {
  const framesIn = createFrameCounter()
  const spend = createAllowance(clock)
  return (data, isTrusted) => {
    const frames = data instanceof Uint8Array ? framesIn(data) : Array.from(data, framesIn).reduce((sum, count) => sum + count, 0)
    if (maConn.writeBufferLength > MAX_UNSENT_BYTES) throw new AppError('too_large', 'it does not read what it is sent')
    spend(data.byteLength + frames * FRAME_COST, isTrusted)
  }
}

/** Of one connection: what a stranger may cost. Throws rate_limited above it, unless the peer is trusted: then nothing is counted any more. */
export function createAllowance(clock: Clock): (cost: number, isTrusted: () => boolean) => void {
  const begun = clock.monotonic()
  let spent = 0
  return (cost, isTrusted) => {
    spent += cost
    if (spent < STRANGER_COST + ((clock.monotonic() - begun) / 1_000) * STRANGER_COST_PER_SECOND) return
    if (!isTrusted()) throw new AppError('rate_limited', 'it sends more than an unknown peer may')
    spent = -Infinity
  }
}

const HEADER_BYTES = 12
const DATA_FRAME = 0

/** Of a yamux byte stream in pieces: how many frames begin in a piece. Throws too_large for a frame that no window allows. */
export function createFrameCounter(): (bytes: Uint8Array) => number {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES))
  let headerBytes = 0
  let payloadLeft = 0
  return (bytes) => {
    let frames = 0
    for (let at = 0; at < bytes.byteLength;) {
      const skipped = Math.min(payloadLeft, bytes.byteLength - at)
      payloadLeft -= skipped
      at += skipped
      if (at === bytes.byteLength) break
      header.setUint8(headerBytes, bytes[at] ?? 0)
      at += 1
      headerBytes += 1
      if (headerBytes < HEADER_BYTES) continue
      headerBytes = 0
      frames += 1
      if (header.getUint8(1) === DATA_FRAME) payloadLeft = header.getUint32(8)
      if (payloadLeft > MAX_WINDOW_BYTES)
        throw new AppError('too_large', `a frame of ${payloadLeft} bytes; the limit is ${MAX_WINDOW_BYTES}`)
    }
    return frames
  }
}
