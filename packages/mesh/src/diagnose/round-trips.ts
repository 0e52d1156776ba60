import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '@qmtcode/protocol'
import { PING_PROTOCOL } from '../links/ping.ts'

const PING_BYTES = 32

/** Pings one after the other on a stream of its own, and ends early after `withinMs`. Never rejects: what is missing was lost. */
export async function measureRoundTrips(
  connection: Connection,
  components: { clock: Clock },
  { count, withinMs }: { count: number; withinMs: number },
): Promise<{ sent: number; roundTripsMs: number[] }> {
  const { clock } = components
  const roundTripsMs: number[] = []
  const signal = AbortSignal.timeout(withinMs)
  let sent = 0
  try {
    const stream = await connection.newStream(PING_PROTOCOL, { signal, runOnLimitedConnection: true })
    const answers = answersOn(stream, signal)
    while (sent < count && answers.isOpen()) {
      const begun = clock.monotonic()
      sent += 1
      stream.send(crypto.getRandomValues(new Uint8Array(PING_BYTES)))
      if (await answers.came(sent)) roundTripsMs.push(clock.monotonic() - begun)
    }
    stream.abort(new Error('measured'))
  } catch {
    // Nothing came back.
  }
  return { sent, roundTripsMs }
}

/** Counts whole answers, as long as the stream is open and `signal` silent. */
function answersOn(stream: Stream, signal: AbortSignal) {
  let received = 0
  let wake = (): void => {}
  const isOpen = (): boolean => !signal.aborted && stream.status === 'open'
  stream.addEventListener('message', ({ data }) => {
    received += data.byteLength
    wake()
  })
  stream.addEventListener('close', () => wake())
  signal.addEventListener('abort', () => wake())
  const hasCome = (count: number): boolean => received >= count * PING_BYTES
  return {
    isOpen,
    async came(count: number): Promise<boolean> {
      while (!hasCome(count) && isOpen()) await new Promise<void>((resolve) => (wake = resolve))
      return hasCome(count)
    },
  }
}
