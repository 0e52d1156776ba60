import { AppError, defineContract, stream, toAppError, unary, statedCount } from '@qmtcode/protocol'
import type { Clock, ContractClient, ContractHandlers, PeerDiagnosis, PeerId } from '@qmtcode/protocol'
import { z } from 'zod'
import { createRateWindow } from '../trust/rate-window.ts'

const MIB = 1_048_576
const CHUNK_BYTES = 66_000 // just above what travels as text within JSON
const MAX_DOWN_BYTES = 4 * MIB
const MAX_UP_BYTES = 4 * MIB
const UP_CALL_BYTES = 131_072
const PHASE_MS = 1_000
/** Of a phase on a link where a second is not enough for anything to arrive. */
const BOUND_MS = 3_000

/** Bytes without a meaning, to measure a link. */
export const probeContract = defineContract('probe', 1, {
  receive: stream(z.object({ bytes: z.int().positive().max(MAX_DOWN_BYTES) }), z.instanceof(Uint8Array)),
  send: unary(
    z.object({ bytes: z.instanceof(Uint8Array).refine((bytes) => bytes.byteLength <= UP_CALL_BYTES) }),
    z.object({ received: statedCount() }),
  ),
})

const RECEIVES_A_MINUTE = 6
const SENDS_A_MINUTE = 6 * (MAX_UP_BYTES / UP_CALL_BYTES)

/** What admitted peers may ask for, a few times a minute. */
export function createProbeService(components: { clock: Clock }): (peerId: PeerId) => ContractHandlers<typeof probeContract> {
  const receives = createRateWindow(components, { limit: RECEIVES_A_MINUTE, windowMs: 60_000 })
  const sends = createRateWindow(components, { limit: SENDS_A_MINUTE, windowMs: 60_000 })
  const limited = (): AppError => new AppError('rate_limited', 'measured often enough; try again in a minute')
  return (peerId) => ({
    async *receive({ bytes }) {
      if (!receives.take(peerId)) throw limited()
      for (let left = bytes; left > 0; left -= CHUNK_BYTES) yield new Uint8Array(Math.min(CHUNK_BYTES, left))
    },
    send({ bytes }) {
      if (!sends.take(peerId)) return Promise.reject(limited())
      return Promise.resolve({ received: bytes.byteLength })
    },
  })
}

/** Both directions, a second and 4 MiB each at most. Never rejects. */
export async function measureBandwidth(
  client: ContractClient<typeof probeContract>,
  components: { clock: Clock },
): Promise<NonNullable<PeerDiagnosis['bandwidth']>> {
  try {
    const downBytesPerSec = await measure(components.clock, (count, signal) => receive(client, count, signal))
    const upBytesPerSec = await measure(components.clock, (count, signal) => send(client, count, signal))
    return { downBytesPerSec, upBytesPerSec }
  } catch (error) {
    return { problem: toAppError(error).message }
  }
}

type Count = (bytes: number) => boolean

/** `run` counts what arrives, until that says that time is up. Undefined: nothing arrived within the bound. */
async function measure(clock: Clock, run: (count: Count, signal: AbortSignal) => Promise<void>): Promise<number | undefined> {
  const begun = clock.monotonic()
  const signal = AbortSignal.timeout(BOUND_MS)
  let sum = 0
  let tookMs = 0
  try {
    await run((bytes) => {
      sum += bytes
      tookMs = clock.monotonic() - begun
      return tookMs < PHASE_MS
    }, signal)
  } catch (error) {
    if (!signal.aborted) throw error // a narrow link is a finding, no failure
  }
  return sum === 0 ? undefined : Math.round((sum * 1_000) / Math.max(tookMs, 0.1))
}

async function receive(client: ContractClient<typeof probeContract>, count: Count, signal: AbortSignal): Promise<void> {
  for await (const bytes of client.receive({ bytes: MAX_DOWN_BYTES }, { signal })) if (!count(bytes.byteLength)) return
}

/** Two calls under way at once, so that the way there is not empty while an answer travels. */
async function send(client: ContractClient<typeof probeContract>, count: Count, signal: AbortSignal): Promise<void> {
  let left = MAX_UP_BYTES / UP_CALL_BYTES
  let isOver = false
  const sender = async (): Promise<void> => {
    while (left > 0 && !isOver) {
      left -= 1
      const { received } = await client.send({ bytes: new Uint8Array(UP_CALL_BYTES) }, { signal })
      isOver ||= !count(received)
    }
  }
  await Promise.all([sender(), sender()])
}
