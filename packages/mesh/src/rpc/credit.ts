import { AppError, LIMITS } from '@qmtcode/protocol'

/** What a frame costs beside its payload: its bookkeeping in the reader's memory, so that a million tiny frames are not free. */
export const FRAME_COST = 256

/** A reader returns credit in steps of at least this. */
const GRANT_STEP_BYTES = LIMITS.callCreditBytes / 4

/** A sender may begin a frame while any credit is left, so it may overshoot by one frame. */
const OVERRUN_BYTES = LIMITS.callCreditBytes + LIMITS.frameBytes + FRAME_COST

/** Credit of one call in one direction, as its sender keeps it. Only `items` and `chunk` frames cost. */
export interface SendCredit {
  left(): number
  spend(payloadBytes: number): void
  /** Throws bad_request for more than was ever spent. */
  grant(bytes: number): void
}

export function createSendCredit(): SendCredit {
  let left: number = LIMITS.callCreditBytes
  return {
    left: () => left,
    spend(payloadBytes) {
      left -= payloadBytes + FRAME_COST
    },
    grant(bytes) {
      left += bytes
      if (left > LIMITS.callCreditBytes) throw new AppError('bad_request', `a grant of ${bytes} bytes that were never sent`)
    },
  }
}

/** The same credit, as its reader keeps it. */
export interface ReceiveCredit {
  /** Throws too_large when the sender went beyond its credit. */
  arrived(payloadBytes: number): void
  /** Returns the bytes to grant now; 0: not yet. */
  read(payloadBytes: number): number
}

export function createReceiveCredit(): ReceiveCredit {
  let outstanding = 0
  let ungranted = 0
  return {
    arrived(payloadBytes) {
      outstanding += payloadBytes + FRAME_COST
      if (outstanding > OVERRUN_BYTES) throw new AppError('too_large', 'the sender went beyond its credit')
    },
    read(payloadBytes) {
      ungranted += payloadBytes + FRAME_COST
      if (ungranted < GRANT_STEP_BYTES) return 0
      const grant = ungranted
      ungranted = 0
      outstanding -= grant
      return grant
    },
  }
}
