import type { Channel } from './channel.ts'
import { createSendCredit } from './credit.ts'
import { FRAME, HEADER_BYTES, encodeChunk, encodeFrame } from './frames.ts'
import type { EncodedValue } from './values.ts'

const GATHER_CHARS = 65_536 // items together become a frame at this size, whatever the time
const CHUNK_BYTES = 65_536

/** Writes the data frames of one call in one direction: within its credit, items gathered. */
export interface Writer {
  /** Undefined: go on. Else resolves when there is room, or when the call is over. */
  ready(): Promise<void> | undefined
  /** An item's JSON. The first leaves at once, later ones are gathered. */
  item(text: string): void
  /** Each within the credit. Returns early when the call is over. */
  chunks(values: readonly Uint8Array[]): Promise<void>
  /** Throws bad_request for a grant that cannot be. */
  grant(bytes: number): void
  /** Makes a frame of what was gathered. */
  seal(): void
  /** Something changed: look again whether there is room. */
  wake(): void
  /** The call is over: what waits returns, what comes later is a no-op. `drop`: forget what was gathered. */
  stop(options?: { drop: boolean }): void
  isOver(): boolean
}

export function createWriter(channel: Channel, callId: number): Writer {
  const credit = createSendCredit()
  let gathered: string[] = []
  let gatheredChars = 0
  let isFirst = true
  let isOver = false
  let waiting: PromiseWithResolvers<void> | undefined

  const hasRoom = (): boolean => isOver || (credit.left() - gatheredChars > 0 && !channel.outbox.isBlocked())
  const push = (frame: Buffer): void => {
    credit.spend(frame.byteLength - HEADER_BYTES)
    channel.outbox.push(frame)
  }
  const seal = (): void => {
    if (gathered.length === 0) return
    push(encodeFrame(FRAME.items, callId, gathered.length === 1 ? `[${gathered[0]}]` : `[${gathered.join(',')}]`))
    gathered = []
    gatheredChars = 0
  }
  const wake = (): void => {
    if (!waiting || !hasRoom()) return
    waiting.resolve()
    waiting = undefined
  }
  const ready = (): Promise<void> | undefined => {
    if (hasRoom()) return undefined
    waiting ??= Promise.withResolvers<void>()
    return waiting.promise
  }
  return {
    ready,
    seal,
    wake,
    item(text) {
      if (isOver) return
      gathered.push(text)
      gatheredChars += text.length + 1
      // A full frame leaves at once: its reader works on it while we make the next.
      if (gatheredChars >= GATHER_CHARS) channel.outbox.flush()
      else if (isFirst) channel.flusher.now(channel.outbox)
      else channel.flusher.soon(channel.outbox)
      isFirst = false
    },
    async chunks(values) {
      for (const value of values) {
        for (let at = 0; at < value.byteLength; at += CHUNK_BYTES) {
          await ready()
          if (isOver) return
          const end = Math.min(at + CHUNK_BYTES, value.byteLength)
          push(encodeChunk(callId, value.subarray(at, end), end === value.byteLength))
          channel.flusher.now(channel.outbox)
        }
      }
    },
    grant(bytes) {
      credit.grant(bytes)
      wake()
    },
    stop(options = { drop: false }) {
      if (options.drop) gathered = []
      else seal()
      gatheredChars = 0
      isOver = true
      wake()
    },
    isOver: () => isOver,
  }
}

/** One item with its bytes, which go before it. */
export async function writeItem(writer: Writer, value: EncodedValue): Promise<void> {
  await writer.ready()
  if (value.chunks.length > 0) {
    writer.seal()
    await writer.chunks(value.chunks)
  }
  writer.item(value.text)
  if (value.chunks.length > 0) writer.seal()
}
