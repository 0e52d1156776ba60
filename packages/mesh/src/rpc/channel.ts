import { AppError, toAppError } from '@qmtcode/protocol'
import type { Clock } from '@qmtcode/protocol'
import { flusherOf } from './flusher.ts'
import type { Flusher } from './flusher.ts'
import { createFrameReader } from './frames.ts'
import type { Frame } from './frames.ts'
import { createOutbox } from './outbox.ts'
import type { ByteCounters, Outbox } from './outbox.ts'
import type { ByteStream } from './types.ts'

/** A frame that has begun must end within this, or the stream is reset. A legitimate one is at most ~130 kB. */
const FRAME_TIMEOUT_MS = 30_000

export interface ChannelEvents {
  /** May throw an AppError: the peer broke the rules, and the stream is reset. */
  onFrame(frame: Frame): void
  /** The stream is over: once, and after it nothing. */
  onClosed(error: AppError): void
  /** Just before a write: put what was gathered into the outbox. */
  beforeFlush(): void
  /** The transport takes bytes again. */
  onWritable(): void
}

/** Frames over a byte stream. */
export interface Channel {
  readonly outbox: Outbox
  readonly flusher: Flusher
  /** Sends a frame in this turn of the event loop. No-op after the end. */
  post(frame: Buffer): void
  isClosed(): boolean
  /** Ends both sides at once; `onClosed` hears `error`. */
  fail(error: AppError): void
  /** Ends cleanly; `onClosed` is called too. */
  close(): void
}

export interface ChannelComponents {
  clock: Clock
  counters: ByteCounters
  frameTimeoutMs?: number
}

export function createChannel(stream: ByteStream, components: ChannelComponents, events: ChannelEvents): Channel {
  const { clock, counters } = components
  const flusher = flusherOf(stream, clock)
  const outbox = createOutbox(stream, { counters, beforeFlush: events.beforeFlush, afterDrain: events.onWritable })
  let isClosed = false
  let frames = 0

  const end = (error: AppError): void => {
    if (isClosed) return
    isClosed = true
    deadline.stop()
    outbox.clear()
    events.onClosed(error)
  }
  const fail = (error: AppError): void => {
    if (isClosed) return
    stream.reset(error)
    end(error)
  }
  const reader = createFrameReader((frame) => {
    frames += 1
    if (!isClosed) events.onFrame(frame)
  })
  const deadline = createPartialDeadline(components.frameTimeoutMs ?? FRAME_TIMEOUT_MS, {
    isPartial: reader.isPartial,
    frames: () => frames,
    onExpired: () => fail(new AppError('timeout', 'a frame that does not end')),
  })

  stream.onClose((error) => end(linkLost(error)))
  stream.onDrain(() => {
    if (!isClosed) outbox.drained()
  })
  stream.onData((bytes) => {
    if (isClosed) return
    counters.bytesIn += bytes.byteLength
    try {
      reader.push(bytes)
      deadline.arrived()
    } catch (error) {
      fail(toAppError(error))
    }
  })
  return {
    outbox,
    flusher,
    post(frame) {
      if (isClosed) return
      outbox.push(frame)
      flusher.now(outbox)
    },
    isClosed: () => isClosed,
    fail,
    close() {
      if (isClosed) return
      stream.close()
      end(new AppError('link_lost', 'the stream was closed'))
    },
  }
}

/** Only our frames tell a clean end from a killed peer: without them every close is a lost link. */
const linkLost = (cause?: Error): AppError =>
  cause instanceof AppError
    ? cause
    : new AppError('link_lost', `the link closed before the call ended${cause ? `: ${cause.message}` : ''}`, { cause })

/** Expires when no frame ends for this long while one has begun. Arms a timer seldom: most partial frames end with the next read. */
function createPartialDeadline(timeoutMs: number, hooks: { isPartial(): boolean; frames(): number; onExpired(): void }) {
  let timer: NodeJS.Timeout | undefined
  let framesSeen = 0
  const check = (): void => {
    timer = undefined
    if (!hooks.isPartial()) return
    if (hooks.frames() === framesSeen) hooks.onExpired()
    else arm()
  }
  const arm = (): void => {
    framesSeen = hooks.frames()
    timer = setTimeout(check, timeoutMs).unref()
  }
  return {
    arrived(): void {
      if (!timer && hooks.isPartial()) arm()
    },
    stop(): void {
      clearTimeout(timer)
    },
  }
}
