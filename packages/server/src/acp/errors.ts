import { RequestError } from '@agentclientprotocol/sdk'
import { toAppError, toWireError } from '@qmtcode/protocol'
import type { ErrorCode } from '@qmtcode/protocol'

const INVALID_PARAMS = -32_602
const INTERNAL = -32_603
const NOT_FOUND = -32_002
const CANCELLED = -32_800

/** JSON-RPC has few codes: ours stands in `data.code`, the hint in the message too, since that is what an editor shows. */
export function toRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error
  const { code, message, hint, details } = toWireError(error)
  const text = hint === undefined ? message : `${message} (${hint})`
  return new RequestError(rpcCodeOf(toAppError(error).code), text, { code, hint, details })
}

function rpcCodeOf(code: ErrorCode): number {
  switch (code) {
    case 'bad_request':
    case 'bad_config':
    case 'ambiguous':
    case 'too_large':
    case 'unsupported':
      return INVALID_PARAMS
    case 'not_found':
      return NOT_FOUND
    case 'cancelled':
      return CANCELLED
    default:
      return INTERNAL
  }
}

/** Whether the client itself took a request back with `$/cancel_request`; a connection that closed aborts requests too. */
export const isTakenBack = (signal: AbortSignal): boolean =>
  signal.aborted && signal.reason instanceof RequestError && signal.reason.code === CANCELLED
