import type { ModelPart } from '@qmtcode/protocol'

/**
 * Waits for the first part, so that what refuses the call does it here, and gives a stream that begins with it.
 * Leaving the stream before reading it ends the call too.
 */
export async function settled(parts: AsyncGenerator<ModelPart>): Promise<AsyncIterableIterator<ModelPart>> {
  let first: IteratorResult<ModelPart> | undefined = await parts.next()
  const stream: AsyncIterableIterator<ModelPart> = {
    next() {
      const result = first
      if (!result) return parts.next()
      first = undefined
      return Promise.resolve(result)
    },
    return() {
      first = undefined
      return parts.return(undefined)
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}
