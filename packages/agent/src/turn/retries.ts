import type { AppError } from '@qmtcode/protocol'

/** Waits before the next try, one for each, in milliseconds. A server that is started again needs a few seconds. */
export const RETRY_DELAYS_MS: readonly number[] = [500, 2_000, 5_000]
/** A server that asks for more is left: a person decides. */
const MAX_ASKED_MS = 60_000

/** Statuses that pass by themselves; those from 520 on are of gateways. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529])
/** What a socket tells, where a server is started again or a network comes back. */
const PASSING_CODES =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EAI_AGAIN|UND_ERR_SOCKET|UND_ERR_CONNECT_TIMEOUT|UND_ERR_HEADERS_TIMEOUT)$/
const LASTING_CODES = /quota|billing|insufficient|credit|payment/i

/**
 * How long to wait before a call that failed is made again, before anything of its answer came. Undefined: what it failed with does not pass by itself,
 * or was tried often enough. `attempt` counts the retries so far.
 */
export function retryDelayMs(error: AppError, attempt: number, delaysMs: readonly number[] = RETRY_DELAYS_MS): number | undefined {
  const own = delaysMs[attempt]
  if (own === undefined || !passesByItself(error)) return undefined
  const asked = error.details?.retryAfterMs
  if (asked === undefined) return own
  return asked > MAX_ASKED_MS ? undefined : Math.max(asked, own)
}

function passesByItself({ code, details }: AppError): boolean {
  if (code !== 'provider_error' && code !== 'rate_limited') return false
  const providerCode = details?.providerCode ?? ''
  if (LASTING_CODES.test(providerCode)) return false
  const status = details?.status
  return status === undefined ? PASSING_CODES.test(providerCode) : PASSING.has(status)
}
