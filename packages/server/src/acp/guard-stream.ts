import { Readable, Writable } from 'node:stream'
import { setImmediate as nextRound } from 'node:timers/promises'
import { ndJsonStream } from '@agentclientprotocol/sdk'
import type { AnyMessage, Stream } from '@agentclientprotocol/sdk'
import { LIMITS, exceedsDepth } from '@qmtcode/protocol'

const LINE_BYTES = 2 * LIMITS.promptBytes // a prompt of the largest size, and its envelope
const LAST_ANSWERS_MS = 2_000

/** Newline-delimited JSON over a process's own streams. A line that is too long or no JSON is answered with an error. */
export function stdioStream(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Stream {
  const bytes = Readable.toWeb(input as Readable) as ReadableStream<Uint8Array>
  const lines = bytes.pipeThrough(boundedLines(LINE_BYTES))
  return ndJsonStream(Writable.toWeb(output as Writable) as WritableStream<Uint8Array>, lines, { maxMessageBytes: LINE_BYTES + 1 })
}

const NEWLINE = 10

/** Cuts each line at `limit` bytes: what is left of it is no JSON, so that its reader refuses it and goes on with the next one. */
export function boundedLines(limit: number): TransformStream<Uint8Array, Uint8Array> {
  let length = 0
  return new TransformStream({
    transform(chunk, controller) {
      for (let from = 0; from < chunk.length;) {
        const newline = chunk.indexOf(NEWLINE, from)
        const end = newline === -1 ? chunk.length : newline
        const taken = Math.min(end - from, Math.max(0, limit - length))
        if (taken > 0) controller.enqueue(chunk.subarray(from, from + taken))
        length += end - from
        if (newline !== -1) controller.enqueue(chunk.subarray(newline, newline + 1))
        if (newline !== -1) length = 0
        from = end + 1
      }
    },
  })
}

/**
 * The same stream for an agent. Messages reach their handlers in their order: the SDK looks for a handler in steps, more of them for
 * some methods than for others, and a message comes when those of the one before are over. One that is nested too deeply is refused by
 * its id. After the last one the end is held back until all requests are answered and all has taken effect (`settled`), 2 s at most, so
 * that a script may write its requests and close.
 */
export function guardStream(stream: Stream, { settled }: { settled(): Promise<void> }): Stream {
  const open = new Set<unknown>()
  const answered = Promise.withResolvers<void>()
  let ended = false
  const check = (): void => {
    if (ended && open.size === 0) answered.resolve()
  }
  const writer = stream.writable.getWriter()
  return {
    readable: stream.readable.pipeThrough(
      new TransformStream<AnyMessage, AnyMessage>({
        async transform(message, controller) {
          if ('method' in message && 'id' in message) open.add(message.id)
          controller.enqueue(exceedsDepth(message, LIMITS.jsonDepth) ? tooDeep(message) : message)
          await nextRound()
        },
        async flush() {
          ended = true
          check()
          await withinMs(Promise.all([answered.promise, settled()]), LAST_ANSWERS_MS)
        },
      }),
    ),
    writable: new WritableStream<AnyMessage>({
      async write(message) {
        await writer.write(message)
        if (!('method' in message)) open.delete(message.id)
        check()
      },
    }),
  }
}

/** Its shape without what it holds: the SDK answers that there is no such method, or that this is no message. */
function tooDeep(message: AnyMessage): AnyMessage {
  const shape = {
    ...('method' in message && { method: `(a message nested deeper than ${LIMITS.jsonDepth} levels)` }),
    ...('id' in message && !exceedsDepth(message.id, 0) && { id: message.id }),
  }
  return { jsonrpc: '2.0', ...shape } as AnyMessage
}

async function withinMs(promise: Promise<unknown>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([promise, late])
  clearTimeout(timer)
}
