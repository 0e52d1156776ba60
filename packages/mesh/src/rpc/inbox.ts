import { AppError, toAppError } from '@qmtcode/protocol'
import type { Channel } from './channel.ts'
import { createReceiveCredit } from './credit.ts'
import { encodeCredit } from './frames.ts'
import { createChunkAssembler, decodeItems } from './values.ts'

/**
 * The items of one call on their way to its consumer. What arrives rests undecoded until it is asked for;
 * credit goes back as it is read, so an idle consumer holds its sender to 256 KiB.
 */
export interface Inbox {
  /** Payloads of frames; throw too_large beyond the credit. */
  items(payload: Buffer): void
  chunk(payload: Buffer): void
  /** After what arrived: the end, or the error that was it. */
  end(error?: AppError): void
  /** Forgets what arrived; the consumer hears `error` at once. */
  drop(error: AppError): void
  /** One at a time. Throws the call's error, once; then it is done. */
  next(): Promise<IteratorResult<unknown, undefined>>
}

export interface InboxHooks {
  /** Makes an item of JSON, or throws. */
  parse(raw: unknown): unknown
  /** What arrived makes no sense; the consumer is about to hear so. */
  onBroken(): void
}

interface Arrived {
  bytes: number
  /** Of an items frame; the text does not pin the transport's buffer. */
  text?: string
  chunk?: Buffer
}

export function createInbox(channel: Channel, callId: number, hooks: InboxHooks): Inbox {
  const credit = createReceiveCredit()
  const assembler = createChunkAssembler()
  const arrived: Arrived[] = []
  let decoded: unknown[] = []
  let at = 0
  let ending: { error?: AppError } | undefined
  let waiting: PromiseWithResolvers<IteratorResult<unknown, undefined>> | undefined

  const read = (frame: Arrived): void => {
    const grant = credit.read(frame.bytes)
    if (grant > 0 && !ending) channel.post(encodeCredit(callId, grant))
    if (frame.chunk) return assembler.add(frame.chunk)
    decoded = decodeItems(frame.text ?? '', assembler.take())
    at = 0
  }
  const forget = (): void => {
    arrived.length = 0
    decoded = []
    at = 0
  }
  /** Undefined: nothing there. */
  const pull = (): IteratorResult<unknown, undefined> | undefined => {
    while (at >= decoded.length) {
      const frame = arrived.shift()
      if (!frame) return undefined
      read(frame)
    }
    const raw = decoded[at]
    decoded[at] = undefined
    at += 1
    return { done: false, value: hooks.parse(raw) }
  }
  /** Undefined: nothing yet. Throws the error that ended the call, once. */
  const pullOrEnd = (): IteratorResult<unknown, undefined> | undefined => {
    let pulled: IteratorResult<unknown, undefined> | undefined
    try {
      pulled = pull()
    } catch (cause) {
      forget()
      ending = {}
      hooks.onBroken()
      throw toAppError(cause)
    }
    if (pulled || !ending) return pulled
    const { error } = ending
    ending = {}
    if (error) throw error
    return { done: true, value: undefined }
  }
  const wake = (): void => {
    if (!waiting) return
    const { resolve, reject } = waiting
    try {
      const result = pullOrEnd()
      if (!result) return
      waiting = undefined
      resolve(result)
    } catch (error) {
      waiting = undefined
      reject(error)
    }
  }
  const arrive = (frame: Arrived): void => {
    if (ending) return
    credit.arrived(frame.bytes)
    arrived.push(frame)
    wake()
  }
  return {
    items: (payload) => arrive({ bytes: payload.byteLength, text: payload.toString('utf8') }),
    chunk: (payload) => arrive({ bytes: payload.byteLength, chunk: Buffer.from(payload) }),
    end(error) {
      if (ending) return
      ending = error ? { error } : {}
      wake()
    },
    drop(error) {
      forget()
      ending = { error }
      wake()
    },
    // oxlint-disable-next-line typescript/promise-function-async -- an async function would cost a turn for each token
    next() {
      if (waiting) return Promise.reject(new AppError('internal', 'next() while a next() is under way'))
      try {
        const result = pullOrEnd()
        if (result) return Promise.resolve(result)
      } catch (error) {
        return Promise.reject(error)
      }
      waiting = Promise.withResolvers<IteratorResult<unknown, undefined>>()
      return waiting.promise
    },
  }
}
