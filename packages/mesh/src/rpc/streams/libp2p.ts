import type { Connection, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { ByteStream } from '../types.ts'

const CLOSE_GRACE_MS = 5_000 // half-closed streams would stay for as long as the connection

/**
 * A libp2p 3 message stream as we need it. The stream is ours from now on. What it handles (docs of each: `libp2p.test.ts`):
 * `onDrain()` fires once, so the event is used; `pause()` within a message that `resume()` delivers is undone, so it waits for a microtask;
 * `send()` throws when the peer is gone; a handler's stream stays half open until its own side is closed; `close()` may reject or never settle.
 */
export function libp2pStream(stream: Stream, connection: Connection): ByteStream {
  const closing = createClosing(stream)
  let wantsPause = false

  const isWritable = (): boolean => stream.writeStatus === 'writable'
  const isReading = (): boolean => stream.readStatus === 'readable' || stream.readStatus === 'paused'
  const applyPause = (): void => {
    if (wantsPause && isReading()) attempt(() => stream.pause())
  }
  stream.addEventListener('remoteCloseWrite', closing.closeOurs)
  return {
    cork: corkOf(connection),
    send(bytes) {
      if (!isWritable()) return true
      try {
        return stream.send(bytes)
      } catch {
        return true // the close event tells
      }
    },
    onData(listener) {
      stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
        if (data instanceof Uint8Array) listener(data)
        else for (const bytes of data) listener(bytes)
      })
    },
    onDrain(listener) {
      stream.addEventListener('drain', listener)
    },
    onClose: closing.listen,
    pause() {
      wantsPause = true
      queueMicrotask(applyPause)
    },
    resume() {
      wantsPause = false
      if (isReading()) attempt(() => stream.resume())
      closing.check()
    },
    close: closing.closeOurs,
    reset(reason) {
      closing.failed(reason)
      attempt(() => stream.abort(reason))
    },
  }
}

/** Tells the end once, after the data that came before it. */
function createClosing(stream: Stream) {
  let isClosing = false
  let closed: { error?: Error } | undefined = stream.status === 'open' ? undefined : {}
  let listener: ((error?: Error) => void) | undefined

  const check = (): void => {
    if (!closed || !listener) return
    // A paused stream still holds what arrived before a clean end.
    if (!closed.error && stream.readStatus === 'paused' && stream.readBufferLength > 0) return
    const heard = listener
    listener = undefined
    heard(closed.error)
  }
  const failed = (error?: Error): void => {
    closed ??= { error }
    queueMicrotask(check)
  }
  stream.addEventListener('close', (event: StreamCloseEvent) => failed(event.error))

  const closeOurs = (): void => {
    if (isClosing) return
    isClosing = true
    const cut = setTimeout(() => attempt(() => stream.abort(new Error('the peer does not close its side'))), CLOSE_GRACE_MS).unref()
    stream.addEventListener('close', () => clearTimeout(cut))
    if (stream.status !== 'open') clearTimeout(cut)
    stream.close().catch((error: unknown) => attempt(() => stream.abort(error instanceof Error ? error : new Error('close failed'))))
  }
  return {
    check,
    failed,
    closeOurs,
    listen(next: (error?: Error) => void) {
      listener = next
      queueMicrotask(check)
    },
  }
}

function attempt(step: () => void): void {
  try {
    step()
  } catch {
    // The stream closed meanwhile; its close event tells.
  }
}

interface Corkable {
  cork(): void
  uncork(): void
}
type Cork = (flush: () => void) => void

/** One function a connection, so that all its streams share a flusher. */
const corks = new WeakMap<Connection, Cork>()

function corkOf(connection: Connection): Cork {
  const known = corks.get(connection)
  if (known) return known
  const made: Cork = (flush) => {
    const socket = socketOf(connection)
    socket?.cork()
    try {
      flush()
    } finally {
      socket?.uncork()
    }
  }
  corks.set(connection, made)
  return made
}

/** A private field of stock TLS over TCP. Where it is not there, as with Noise, writes are not grouped: slower, and right. */
function socketOf(connection: Connection): Corkable | undefined {
  const { muxer } = connection as unknown as { muxer?: { maConn?: { socket?: Partial<Corkable> } } }
  const socket = muxer?.maConn?.socket
  return typeof socket?.cork === 'function' && typeof socket.uncork === 'function' ? (socket as Corkable) : undefined
}
