import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Clock } from '@qmtcode/protocol'

/** libp2p's ping: 32 bytes come back. Streams are kept for several pings; one that the other side ended is opened again. */
export const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32
const MAX_UNREAD_BYTES = 64 * PING_BYTES
const IDLE_MS = 60_000

/** Echoes, within a bound on what the asker does not read. (@libp2p/ping gathers without one.) */
export function answerPings(stream: Stream): void {
  const onIdle = (): void => stream.abort(new Error('no ping for a minute'))
  let idle = setTimeout(onIdle, IDLE_MS).unref()
  stream.addEventListener('message', ({ data }) => {
    clearTimeout(idle)
    idle = setTimeout(onIdle, IDLE_MS).unref()
    if (stream.writeStatus !== 'writable') return
    if (data.byteLength + stream.writeBufferLength > MAX_UNREAD_BYTES) return stream.abort(new Error('too many pings'))
    stream.send(data)
  })
  stream.addEventListener('remoteCloseWrite', () => {
    stream.close().catch(() => undefined)
  })
  stream.addEventListener('close', () => clearTimeout(idle))
}

export interface Pinger {
  /** Pings now. */
  ask(): void
  stop(): void
}

export interface PingListener {
  onAnswer(rttMs: number): void
  /** After each beat that heard nothing; `intervals` since the last that did. */
  onSilence(intervals: number): void
  /** Whether other frames came since the last time it was asked: they count as answers. */
  hasTraffic(): boolean
}

/** Looks at a link between two pings, so that silence is noticed early. */
const BEATS_PER_INTERVAL = 5
/** While an answer is missing more pings follow: where packets get lost, what comes after one lets TCP send it again at once. */
const BEATS_PER_REPEAT = 2
const MAX_UNANSWERED = 16
/** A late beat counts for the time since the one before, up to this many beats: a busy machine's are late by a second, a sleeping one's by hours. */
const MAX_LATE_BEATS = 4

/**
 * Pings every `intervalMs`. Silence is counted in beats, not in time, so that a machine that slept does not find all its links dead.
 */
export function createPinger(connection: Connection, components: { clock: Clock; listener: PingListener }, intervalMs: number): Pinger {
  const { clock, listener } = components
  let stream: Stream | undefined
  let opening = false
  /** When each ping without an answer was sent: answers come in order. */
  let unanswered: number[] = []
  let received = 0
  let sinceSent = 0
  let silent = 0
  let beatAt = clock.monotonic()
  const beatMs = intervalMs / BEATS_PER_INTERVAL

  function onMessage({ data }: StreamMessageEvent): void {
    received += data.byteLength
    if (received > unanswered.length * PING_BYTES) return stream?.abort(new Error('not a ping answer'))
    while (received >= PING_BYTES) {
      received -= PING_BYTES
      const rtt = clock.monotonic() - (unanswered.shift() ?? 0)
      silent = 0
      listener.onAnswer(rtt)
    }
  }
  function send(to: Stream): void {
    sinceSent = 0
    unanswered.push(clock.monotonic())
    to.send(crypto.getRandomValues(new Uint8Array(PING_BYTES)))
  }
  async function open(): Promise<void> {
    if (opening || connection.status !== 'open') return
    opening = true
    try {
      const opened = await connection.newStream(PING_PROTOCOL, {
        signal: AbortSignal.timeout(intervalMs * 4),
        runOnLimitedConnection: true,
      })
      opened.addEventListener('message', onMessage)
      opened.addEventListener('close', () => {
        if (stream === opened) stream = undefined
      })
      stream = opened
      unanswered = []
      received = 0
      send(opened)
    } catch {
      // Silence: the next beat counts it.
    } finally {
      opening = false
    }
  }
  async function beat(): Promise<void> {
    const isWaiting = opening || (stream !== undefined && unanswered.length > 0)
    const now = clock.monotonic()
    silent = listener.hasTraffic() ? 0 : silent + Math.min((now - beatAt) / beatMs, MAX_LATE_BEATS)
    beatAt = now
    sinceSent += 1
    // Between pings silence is nothing, once the last was answered.
    if (isWaiting && silent > 0) listener.onSilence(silent / BEATS_PER_INTERVAL)
    const isDue = sinceSent >= (isWaiting ? BEATS_PER_REPEAT : BEATS_PER_INTERVAL)
    if (stream?.writeStatus === 'writable') {
      if (isDue && unanswered.length < MAX_UNANSWERED) send(stream)
    } else if (isDue) await open()
  }

  const beats = setInterval(() => {
    beat().catch(() => undefined)
  }, beatMs)
  open().catch(() => undefined)
  return {
    ask() {
      if (stream?.writeStatus !== 'writable') open().catch(() => undefined)
      else if (unanswered.length < MAX_UNANSWERED) send(stream)
    },
    stop() {
      clearInterval(beats)
      stream?.abort(new Error('stopped'))
    },
  }
}
