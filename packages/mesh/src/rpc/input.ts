import { AppError } from '@qmtcode/protocol'
import type { PeerAccount } from './account.ts'
import type { Channel } from './channel.ts'
import { FRAME_COST, createReceiveCredit } from './credit.ts'
import { encodeCredit } from './frames.ts'
import { createChunkAssembler, decodeValue } from './values.ts'
import { weightOf } from './weight.ts'

/** An input that stands still for this long is given up. */
const IDLE_MS = 60_000

/** The input of one call as it arrives. It is read at once, so its credit comes back at once; the peer's account bounds it. */
export interface Input {
  /** Before JSON is parsed: what it will occupy is the peer's expense. Throws too_large, busy. */
  weigh(json: Uint8Array): void
  /** More is to follow. */
  open(): void
  /** A chunk frame's payload. Throws when the sender went beyond its credit; what is wrong with the value goes through `guarded`. */
  arrived(payload: Buffer, guarded: (step: () => void) => void): void
  /** The value of `params` with its chunks. Throws bad_request. */
  take(params: unknown): unknown
  /** Lets go of what arrived. */
  close(): void
}

export interface InputComponents {
  channel: Channel
  callId: number
  account: PeerAccount
  onIdle(error: AppError): void
}

export function createInput({ channel, callId, account, onIdle }: InputComponents): Input {
  const credit = createReceiveCredit()
  const assembler = createChunkAssembler()
  let held = 0
  let timer: NodeJS.Timeout | undefined

  const hold = (bytes: number): void => {
    account.hold(bytes)
    held += bytes
  }
  const weigh = (json: Uint8Array): void => hold(weightOf(json))

  return {
    weigh,
    open() {
      timer = setTimeout(() => onIdle(new AppError('timeout', `the input stood still for ${IDLE_MS / 1_000} s`)), IDLE_MS).unref()
    },
    arrived(payload, guarded) {
      credit.arrived(payload.byteLength)
      timer?.refresh()
      guarded(() => {
        hold(payload.byteLength + FRAME_COST)
        assembler.add(Buffer.from(payload))
        const grant = credit.read(payload.byteLength)
        if (grant > 0) channel.post(encodeCredit(callId, grant))
      })
    },
    take(params) {
      clearTimeout(timer)
      return decodeValue(params, assembler.take(), weigh)
    },
    close() {
      clearTimeout(timer)
      account.release(held)
      held = 0
    },
  }
}
