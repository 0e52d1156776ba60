import type { AppError, ErrorCode } from '@qmtcode/protocol'

/** What another node would answer alike, or what a person decides: a request that is wrong, a refusal, a cancelled call. */
const SAME_EVERYWHERE: ReadonlySet<ErrorCode> = new Set(['cancelled', 'bad_request', 'too_large', 'forbidden', 'not_admitted', 'ambiguous'])
const REFUSED_REQUEST: ReadonlySet<number> = new Set([400, 413, 422])
/** A limit that ends sooner is waited for: another node may have the same account, and has not read the conversation. */
const MAX_PAUSE_MS = 60_000

/** Whether a call that failed before its first token may succeed at another node: the failure is the own one of where it ran. */
export function mayServeElsewhere({ code, details }: AppError): boolean {
  if (SAME_EVERYWHERE.has(code)) return false
  if (code === 'rate_limited') return details?.retryAfterMs === undefined || details.retryAfterMs > MAX_PAUSE_MS
  return code !== 'provider_error' || !REFUSED_REQUEST.has(details?.status ?? 0)
}
