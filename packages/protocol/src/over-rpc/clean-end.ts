/** A follow ends cleanly when its own signal aborts; any other failure is the caller's to hear. */
export async function* endCleanly<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Item, void, undefined> {
  try {
    yield* items
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}
