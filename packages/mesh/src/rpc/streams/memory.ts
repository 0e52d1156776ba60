import type { ByteStream } from '../types.ts'

const HIGH_WATER_BYTES = 262_144 // what one end takes before it asks its writer to wait

interface End extends ByteStream {
  deliver(bytes: Uint8Array): boolean
  finish(error?: Error): void
  drained(): void
}

/** Two joined ends in one process: asynchronous, ordered, with back-pressure, without latency. */
export function memoryStreamPair(): [ByteStream, ByteStream] {
  const left: End = createEnd(() => right)
  const right: End = createEnd(() => left)
  return [left, right]
}

function createEnd(other: () => End): End {
  const queue: Uint8Array[] = []
  let queuedBytes = 0
  let isPaused = false
  let isScheduled = false
  let isWriterWaiting = false
  let isOver = false
  let ending: { error?: Error } | undefined
  let onData: ((bytes: Uint8Array) => void) | undefined
  let onDrain = (): void => {}
  let onClose: ((error?: Error) => void) | undefined

  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(run)
  }
  const deliverNext = (): boolean => {
    const bytes = onData && !isPaused ? queue.shift() : undefined
    if (!bytes) return false
    queuedBytes -= bytes.byteLength
    onData?.(bytes)
    return true
  }
  const run = (): void => {
    isScheduled = false
    while (deliverNext()) {
      // each delivery may pause us
    }
    if (isWriterWaiting && queuedBytes < HIGH_WATER_BYTES) {
      isWriterWaiting = false
      other().drained()
    }
    if (ending && queue.length === 0 && onClose) {
      const listener = onClose
      onClose = undefined
      listener(ending.error)
    }
  }
  return {
    deliver(bytes) {
      if (ending) return true
      queue.push(Uint8Array.from(bytes))
      queuedBytes += bytes.byteLength
      isWriterWaiting = queuedBytes >= HIGH_WATER_BYTES
      schedule()
      return !isWriterWaiting
    },
    finish(error) {
      isOver = true
      ending ??= { error }
      if (error) queue.length = 0
      schedule()
    },
    drained: () => onDrain(),
    send: (bytes) => isOver || other().deliver(bytes),
    onData(listener) {
      onData = listener
      schedule()
    },
    onDrain(listener) {
      onDrain = listener
    },
    onClose(listener) {
      onClose = listener
      schedule()
    },
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      schedule()
    },
    close() {
      isOver = true
      ending ??= {}
      other().finish()
      schedule()
    },
    reset(reason) {
      isOver = true
      queue.length = 0
      ending ??= { error: reason }
      other().finish(new Error('the other side reset the stream'))
      schedule()
    },
  }
}
