import { AppError, LIMITS } from '@qmtcode/protocol'

/** Handlers of one peer at once, those that were cancelled and have not returned included. */
const MAX_RUNNING = 1_024

/** What one peer occupies here, over all its streams. */
export interface PeerAccount {
  /** Throws busy. */
  began(): void
  ended(): void
  /** Bytes of calls in memory: inputs and outputs beyond what credits bound. Throws busy above the peer's share. */
  hold(bytes: number): void
  release(bytes: number): void
  running(): number
  heldBytes(): number
}

export function createPeerAccount(): PeerAccount {
  let running = 0
  let held = 0
  return {
    began() {
      if (running >= MAX_RUNNING) throw new AppError('busy', `${running} calls of this peer are under way already`)
      running += 1
    },
    ended() {
      running -= 1
    },
    hold(bytes) {
      if (held + bytes > LIMITS.peerInFlightBytes) {
        throw new AppError('busy', `the calls of this peer hold ${held} bytes already; the limit is ${LIMITS.peerInFlightBytes}`)
      }
      held += bytes
    },
    release(bytes) {
      held -= bytes
    },
    running: () => running,
    heldBytes: () => held,
  }
}
