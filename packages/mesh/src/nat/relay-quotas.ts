import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock, PeerId } from '@qmtcode/protocol'

/** What a relay carries for one peer: the one that opens a circuit is charged for both directions of it. */
export interface RelayQuotas {
  /** Circuits and reservations that are open at once. Links, and one that is about to replace a dead one. */
  circuits: number
  bytesPerHour: number
}

/** Agents send prompts, deltas and files: a working day of one is far below this, a mirror of disks above. */
export const RELAY_QUOTAS: RelayQuotas = { circuits: 64, bytesPerHour: 8 * 1_073_741_824 }

const HOUR_MS = 3_600_000
// What waits in the relay for a slow receiver. libp2p's own pipe takes whatever comes.
const PAUSE_ABOVE = 1_048_576
const RESUME_BELOW = 262_144

export interface Circuit {
  /** The other half: `destination` is what leads to the peer that is called. */
  join(destination: Stream): void
}

/** Counts what is relayed. */
export function createRelayLedger(
  components: { clock: Clock },
  quotas: RelayQuotas,
): {
  /** `source`: a stream by which a peer asks to be relayed. Throws rate_limited. */
  open(peerId: PeerId, source: Stream): Circuit
  circuits(): number
} {
  const { clock } = components
  const accounts = new Map<PeerId, { open: Set<Stream>; since: number; bytes: number }>()

  const accountOf = (peerId: PeerId) => {
    const now = clock.monotonic()
    const account = accounts.get(peerId) ?? { open: new Set<Stream>(), since: now, bytes: 0 }
    if (now - account.since > HOUR_MS) Object.assign(account, { since: now, bytes: 0 })
    accounts.set(peerId, account)
    return account
  }
  function charge(peerId: PeerId, bytes: number): void {
    const account = accountOf(peerId)
    account.bytes += bytes
    if (account.bytes <= quotas.bytesPerHour) return
    for (const stream of account.open) stream.abort(new AppError('rate_limited', 'it had its share of this relay for this hour'))
  }
  return {
    open(peerId, source) {
      const account = accountOf(peerId)
      if (account.open.size >= quotas.circuits) throw new AppError('rate_limited', `it has ${account.open.size} circuits already`)
      if (account.bytes > quotas.bytesPerHour) throw new AppError('rate_limited', 'it had its share of this relay for this hour')
      account.open.add(source)
      source.addEventListener('close', () => {
        account.open.delete(source)
        if (account.open.size === 0 && account.bytes === 0) accounts.delete(peerId)
      })
      return {
        join(destination) {
          throttle(source, destination, (bytes) => charge(peerId, bytes))
          throttle(destination, source, (bytes) => charge(peerId, bytes))
        },
      }
    },
    circuits: () => [...accounts.values()].reduce((sum, { open }) => sum + open.size, 0),
  }
}

/** Stops reading from `from` while too much of it waits for `to`. */
function throttle(from: Stream, to: Stream, charge: (bytes: number) => void): void {
  let waiting = 0
  let isPaused = false
  from.addEventListener('message', ({ data }: StreamMessageEvent) => {
    waiting += data.byteLength
    charge(data.byteLength)
    if (waiting <= PAUSE_ABOVE || isPaused) return
    isPaused = true
    queueMicrotask(() => attempt(() => isPaused && from.pause())) // a pause within a message that resume() delivers is undone
  })
  const send = to.send.bind(to)
  to.send = (data) => {
    waiting = Math.max(0, waiting - data.byteLength)
    if (isPaused && waiting < RESUME_BELOW) {
      isPaused = false
      attempt(() => from.resume())
    }
    return send(data)
  }
}

function attempt(step: () => unknown): void {
  try {
    step()
  } catch {
    // The stream closed meanwhile.
  }
}
