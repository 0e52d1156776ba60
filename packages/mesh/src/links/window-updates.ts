import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'

/** What yamux keeps of a stream's receive window. Private fields, so each is looked at before it is trusted. */
interface Windowed {
  state?: unknown
  recvWindow?: unknown
  recvWindowCapacity?: unknown
  sendWindowUpdate?: unknown
}
interface Internals {
  _newStream?: unknown
}
type Update = () => void
type NewStream = (...init: unknown[]) => Windowed

/** States in which an update says nothing beside its bytes: asked for and not yet answered, and open. */
const SILENT_STATES: readonly unknown[] = [1, 3]

/**
 * Muxers whose streams give window back once half of it is used, as other implementations do. Stock js gives back each message's
 * bytes at once: a frame, a TLS record and a system call for every token, at either end. Where the muxer is another than expected
 * it stays as it is: slower, and right.
 */
export function thriftyMuxer<Made>(make: (components: Made) => StreamMuxerFactory): (components: Made) => StreamMuxerFactory {
  return (made) => {
    const factory = make(made)
    return {
      protocol: factory.protocol,
      createStreamMuxer(maConn: MessageStream): StreamMuxer {
        const muxer = factory.createStreamMuxer(maConn)
        const internals = muxer as unknown as Internals
        if (typeof internals._newStream === 'function') {
          const newStream = internals._newStream.bind(muxer) as NewStream
          internals._newStream = (...init: unknown[]) => thrifty(newStream(...init))
        }
        return muxer
      },
    }
  }
}

function thrifty(stream: Windowed): Windowed {
  if (typeof stream.sendWindowUpdate !== 'function') return stream
  const update = stream.sendWindowUpdate.bind(stream) as Update
  stream.sendWindowUpdate = () => {
    const { state, recvWindow, recvWindowCapacity } = stream
    const isKnown = typeof recvWindow === 'number' && typeof recvWindowCapacity === 'number'
    if (isKnown && SILENT_STATES.includes(state) && 2 * recvWindowCapacity > recvWindow) return
    update()
  }
  return stream
}
