import type { Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock } from '@qmtcode/protocol'
import { FRAME_COST, MAX_UNSENT_BYTES, createAllowance } from '../links/wire-guard.ts'

export interface StreamGuardComponents {
  clock: Clock
}
export interface StreamGuardOptions {
  /** Asked when a connection has cost more than a stranger's may; true holds until it closes. */
  isTrusted(muxer: StreamMuxer): boolean
}

/** What `onData` of libp2p's streams takes; each transport's stream calls it with what arrived. */
interface Receiving {
  onData(data: { byteLength: number }): void
}

/**
 * The bound of `wire-guard.ts` for a muxer without frames of its own: streams that the other side opens count as frames,
 * and bytes count before anybody reads them.
 */
export function guardedStreams(
  factory: StreamMuxerFactory,
  components: StreamGuardComponents,
  options: StreamGuardOptions,
): StreamMuxerFactory {
  return {
    protocol: factory.protocol,
    createStreamMuxer(maConn) {
      const muxer = factory.createStreamMuxer(maConn)
      const spend = createAllowance(components.clock)
      const guard = (cost: number, unsent = 0): void => {
        if (maConn.status !== 'open') return
        try {
          if (unsent > MAX_UNSENT_BYTES) throw new AppError('too_large', 'it does not read what it is sent')
          spend(cost, () => options.isTrusted(muxer))
        } catch (error) {
          const reason = error instanceof Error ? error : new Error(String(error))
          muxer.abort(reason)
          maConn.abort(reason)
        }
      }
      muxer.addEventListener('stream', ({ detail }) => {
        guard(FRAME_COST)
        watch(detail, guard)
      })
      return muxer
    },
  }
}

/** Over QUIC a reset by the other side looks like its end, and a stream that only it gave up would be kept for ever. */
const HALF_CLOSED_MS = 10_000

function watch(stream: Stream, guard: (cost: number, unsent: number) => void): void {
  const receiving = stream as unknown as Receiving
  stream.addEventListener('remoteCloseWrite', () => {
    setTimeout(() => stream.abort(new Error('it ended its side')), HALF_CLOSED_MS).unref()
  })
  const onData = receiving.onData.bind(stream)
  receiving.onData = (data) => {
    // A small packet costs as a frame does.
    guard(Math.max(data.byteLength, FRAME_COST), stream.writeBufferLength)
    if (stream.status === 'open') onData(data)
  }
}
