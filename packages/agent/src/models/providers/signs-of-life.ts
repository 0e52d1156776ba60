import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'

type Part = LanguageModelV4StreamPart

/** Bytes of an answer of which its provider's package makes no part: comments, pings, headers of events. */
export interface SignsOfLife {
  /** A `fetch` that hears the bytes of the calls that are watched. */
  listening(fetch: typeof globalThis.fetch): typeof globalThis.fetch
  /** The parts of a call, with a `ping` where bytes came and no part. `signal` is the one that its request is made with. */
  watched(signal: AbortSignal, open: () => Promise<AsyncIterable<Part>>): AsyncIterable<Part>
}

/** A ping for each token would be of no use. */
const PING_MS = 100

export function createSignsOfLife(): SignsOfLife {
  const listeners = new WeakMap<AbortSignal, () => void>()
  return {
    listening: (fetch) => async (input, init) => {
      const response = await fetch(input, init)
      const heard = init?.signal ? listeners.get(init.signal) : undefined
      if (!heard || !response.body) return response
      const body = response.body.pipeThrough(
        new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
          transform(chunk, controller) {
            heard()
            controller.enqueue(chunk)
          },
        }),
      )
      const { status, statusText, headers } = response
      return new Response(body, { status, statusText, headers })
    },
    async *watched(signal, open) {
      let wake = (): void => {}
      listeners.set(signal, () => wake())
      let parts: AsyncIterator<Part> | undefined
      // Some packages wait for the first event before they give the stream.
      const begin = async (): Promise<IteratorResult<Part>> => {
        parts = (await open())[Symbol.asyncIterator]()
        return await parts.next()
      }
      let lastAt = performance.now()
      let isOpen = true
      try {
        let next = begin()
        for (;;) {
          const heard = new Promise<undefined>((resolve) => (wake = () => resolve(undefined)))
          const result = await Promise.race([next, heard])
          const isDue = performance.now() - lastAt >= PING_MS
          if (result || isDue) lastAt = performance.now()
          if (result?.done === true) {
            isOpen = false
            return
          }
          if (result) {
            yield result.value
            next = parts?.next() ?? begin()
          } else if (isDue) yield { type: 'ping' }
        }
      } finally {
        listeners.delete(signal)
        // Not awaited: a stream that is stuck in its next() would answer after it.
        if (isOpen) parts?.return?.().catch(() => {})
      }
    },
  }
}
