const MAX_RETRY_MS = 86_400_000 // a day: more is a broken clock

/** Milliseconds to wait as a response's headers say: `retry-after-ms`, or `retry-after` in seconds or as a date. */
export function retryAfterMs(headers: Readonly<Record<string, string>> | undefined, now: number = Date.now()): number | undefined {
  const exact = numberOf(headers?.['retry-after-ms'])
  if (exact !== undefined) return bounded(exact)
  const value = headers?.['retry-after']
  const seconds = numberOf(value)
  if (seconds !== undefined) return bounded(seconds * 1_000)
  const date = value === undefined ? Number.NaN : Date.parse(value)
  return Number.isNaN(date) ? undefined : bounded(date - now)
}

const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined

const bounded = (ms: number): number => Math.min(Math.max(Math.round(ms), 0), MAX_RETRY_MS)

/** What to tell a person of the time to wait; undefined where the server named none. */
export const retryHint = (retryAfterMs: number | undefined): string | undefined =>
  retryAfterMs === undefined ? undefined : `try again in ${Math.ceil(retryAfterMs / 1_000)} s`
