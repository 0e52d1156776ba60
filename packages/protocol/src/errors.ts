/** The closed set of failures. Callers branch on these, never on a message. */
export const ERROR_CODES = [
  'bad_request',
  'bad_config',
  'not_found',
  'not_admitted',
  'forbidden',
  'peer_unreachable',
  'model_unavailable',
  'ambiguous',
  'busy',
  'rate_limited',
  'timeout',
  'cancelled',
  'interrupted',
  'link_lost',
  'conflict',
  'too_large',
  'unsupported',
  'provider_error',
  'internal',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

export interface AppErrorOptions {
  cause?: unknown
  /** What the reader can do about it: a command, a key of the configuration. */
  hint?: string
  details?: ErrorDetails
}

/** What a caller may act on, beyond the code. */
export interface ErrorDetails {
  /** HTTP status of a model's server. */
  status?: number
  /** The provider's own code, for example `insufficient_quota`. */
  providerCode?: string
  /** How long to wait before a retry, in milliseconds. */
  retryAfterMs?: number
}

/** The one error of the project: the same in code, on the wire, over HTTP and as an exit code. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: ErrorDetails | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details
  }
}

export function isAppError(error: unknown, ...codes: ErrorCode[]): error is AppError {
  return error instanceof AppError && (codes.length === 0 || codes.includes(error.code))
}

/** Any thrown value as an AppError; what is not ours becomes `internal`, an abort becomes `cancelled`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (error instanceof Error && error.name === 'AbortError') return new AppError('cancelled', error.message, { cause: error })
  if (error instanceof Error && error.name === 'TimeoutError') return new AppError('timeout', error.message, { cause: error })
  return new AppError('internal', error instanceof Error ? error.message : String(error), { cause: error })
}

/** Characters of an error's message, and of its hint, that cross. */
export const MAX_MESSAGE_CHARS = 2_000

/** How an error crosses a process border: without cause and stack. */
export interface WireError {
  code: string
  message: string
  hint?: string
  details?: ErrorDetails
}

export function toWireError(error: unknown): WireError {
  const { code, message, hint, details } = toAppError(error)
  return { code, message: clip(message), hint: hint === undefined ? undefined : clip(hint), details }
}

/** A code of a newer version becomes `internal`; its name stays in the message. */
export function fromWireError(wire: WireError): AppError {
  const known = ERROR_CODES.find((code) => code === wire.code)
  return new AppError(known ?? 'internal', known ? wire.message : `${wire.code}: ${wire.message}`, {
    hint: wire.hint,
    details: wire.details,
  })
}

function clip(text: string): string {
  return text.length > MAX_MESSAGE_CHARS ? `${text.slice(0, MAX_MESSAGE_CHARS)}…` : text
}

/** Process exit codes: 0 done, 1 failed, 2 usage or configuration, 3 unreachable, 4 refused, 130 interrupted. */
export function exitCodeOf(error: unknown): number {
  const { code } = toAppError(error)
  switch (code) {
    case 'bad_request':
    case 'bad_config':
    case 'ambiguous':
      return 2
    case 'peer_unreachable':
    case 'model_unavailable':
    case 'link_lost':
      return 3
    case 'not_admitted':
    case 'forbidden':
      return 4
    case 'cancelled':
      return 130
    case 'not_found':
    case 'busy':
    case 'rate_limited':
    case 'timeout':
    case 'interrupted':
    case 'conflict':
    case 'too_large':
    case 'unsupported':
    case 'provider_error':
    case 'internal':
      return 1
  }
}
