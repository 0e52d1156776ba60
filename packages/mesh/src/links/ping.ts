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
  stop(): void
}

export interface PingListener {
  onAnswer(rttMs: number): void
  /** After each interval without an answer; `count` intervals in a row. */
  onSilence(count: number): void
  /** Whether other frames came since the last time it was asked: they count as answers. */
  hasTraffic(): boolean
}

/**
 * Pings every `intervalMs`. Silence is counted in intervals, not in time, so that a machine that slept does not find all its links dead.
 */
export function createPinger(connection: Connection, components: { clock: Clock; listener: PingListener }, intervalMs: number): Pinger {
  const { clock, listener } = components
  let stream: Stream | undefined
  let opening = false
  let sentAt: number | undefined
  let received = 0
  let silent = 0

  function onMessage({ data }: StreamMessageEvent): void {
    received += data.byteLength
    if (sentAt === undefined || received > PING_BYTES) return stream?.abort(new Error('not a ping answer'))
    if (received < PING_BYTES) return
    const rtt = clock.monotonic() - sentAt
    sentAt = undefined
    silent = 0
    listener.onAnswer(rtt)
  }
  function send(to: Stream): void {
    received = 0
    sentAt = clock.monotonic()
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
        if (stream === opened) stream = sentAt = undefined
      })
      stream = opened
      send(opened)
    } catch {
      // Silence: the next interval counts it.
    } finally {
      opening = false
    }
  }
  async function beat(): Promise<void> {
    if (listener.hasTraffic()) silent = 0
    else if (opening || sentAt !== undefined) listener.onSilence((silent += 1))
    if (stream?.writeStatus === 'writable') {
      if (sentAt === undefined) send(stream)
    } else await open()
  }

  const beats = setInterval(() => {
    beat().catch(() => undefined)
  }, intervalMs)
  open().catch(() => undefined)
  return {
    stop() {
      clearInterval(beats)
      stream?.abort(new Error('stopped'))
    },
  }
}
