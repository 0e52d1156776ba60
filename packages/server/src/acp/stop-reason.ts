import type { PromptResponse, StopReason as AcpStopReason } from '@agentclientprotocol/sdk'
import { AppError, fromWireError } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, Usage } from '@qmtcode/protocol'

type TurnEnded = Extract<SessionEvent, { type: 'turn.ended' }>

export const interrupted = (sessionId: SessionId, cause?: unknown): AppError =>
  new AppError('interrupted', 'the turn was interrupted', { cause, hint: `to go on: qmtcode sessions resume ${sessionId}` })

/** How a turn ended, as the answer to `session/prompt`. Throws for one that failed: v1 has no stop reason for it. */
export function promptResponseOf({ stopReason, usage, error, sessionId }: TurnEnded): PromptResponse {
  switch (stopReason) {
    case 'completed':
      return responseOf('end_turn', usage)
    case 'cancelled':
      return responseOf('cancelled', usage)
    case 'max_steps':
    case 'looping':
      return responseOf('max_turn_requests', usage)
    case 'length':
      return responseOf('max_tokens', usage)
    case 'refused':
      return responseOf('refusal', usage)
    case 'interrupted':
      throw interrupted(sessionId)
    case 'failed':
    case 'empty':
    case 'unparsed_call':
      throw error ? fromWireError(error) : new AppError('internal', 'the turn failed')
  }
}

/** `usage` is a field of unstable v1: who does not know it ignores it. */
function responseOf(stopReason: AcpStopReason, usage: Usage): PromptResponse {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage
  const tokens = {
    totalTokens: inputTokens + outputTokens,
    inputTokens,
    outputTokens,
    ...(cachedInputTokens !== undefined && { cachedReadTokens: cachedInputTokens }),
    ...(reasoningTokens !== undefined && { thoughtTokens: reasoningTokens }),
  }
  const response = { stopReason, usage: tokens }
  return response
}
