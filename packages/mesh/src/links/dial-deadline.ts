/** On a busy machine a handshake takes seconds, which says nothing against the address. */
export const UPGRADE_MS = 4_000

/** The deadline of one address: `ms` to take the connection, and `UPGRADE_MS` from then on to show who it is. */
export function dialDeadline(
  ms: number,
  signal: AbortSignal,
): { signal: AbortSignal; onProgress(event: { type: string }): void } & Disposable {
  const late = new AbortController()
  const onLate = (): void => late.abort(new DOMException('no answer in time', 'TimeoutError'))
  let timer = setTimeout(onLate, ms).unref()
  let isTaken = false
  return {
    signal: AbortSignal.any([signal, late.signal]),
    onProgress({ type }) {
      if (isTaken || !type.startsWith('upgrader:')) return
      isTaken = true
      clearTimeout(timer)
      timer = setTimeout(onLate, UPGRADE_MS).unref()
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}
