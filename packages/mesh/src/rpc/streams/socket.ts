import type { Socket } from 'node:net'
import type { ByteStream } from '../types.ts'

const CLOSE_GRACE_MS = 5_000 // a peer that does not end its side by then is cut

/** A connected socket: TCP, TLS or unix. The stream owns it from now on. */
export function socketStream(socket: Socket): ByteStream {
  let failure: Error | undefined
  let isClosed = socket.closed
  let onClose: ((error?: Error) => void) | undefined

  const tellClosed = (): void => {
    if (!isClosed || !onClose) return
    const listener = onClose
    onClose = undefined
    listener(failure)
  }
  const isWritable = (): boolean => !socket.destroyed && !socket.writableEnded
  socket.setNoDelay?.(true)
  socket.on('error', (error) => {
    failure ??= error
  })
  socket.on('end', () => socket.end())
  socket.on('close', () => {
    isClosed = true
    tellClosed()
  })
  return {
    send: (bytes) => !isWritable() || socket.write(bytes),
    onData: (listener) => {
      socket.on('data', listener)
    },
    onDrain: (listener) => {
      socket.on('drain', listener)
    },
    onClose(listener) {
      onClose = listener
      if (isClosed) queueMicrotask(tellClosed)
    },
    pause: () => {
      socket.pause()
    },
    resume: () => {
      socket.resume()
    },
    close() {
      if (socket.destroyed) return
      // Unread data would keep the socket from ending.
      socket.resume()
      socket.end()
      const cut = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS).unref()
      socket.once('close', () => clearTimeout(cut))
    },
    reset(reason) {
      failure ??= reason
      socket.destroy()
    },
    cork(flush) {
      socket.cork()
      try {
        flush()
      } finally {
        socket.uncork()
      }
    },
  }
}
