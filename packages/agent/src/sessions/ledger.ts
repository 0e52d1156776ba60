import type { DurableEventInit, PromptId, StopReason, Usage, WireError } from '@qmtcode/protocol'

/** What a turn has begun and not ended, so that its end leaves nothing open. */
export interface Ledger {
  observe(event: DurableEventInit): void
  /** The turn's last events: an end for each open tool call and question, then `turn.ended`. */
  closing(end: TurnEnd): DurableEventInit[]
}

export interface TurnEnd {
  stopReason: StopReason
  /** Default: the sum over its messages. */
  usage?: Usage
  error?: WireError
  /** For what was open: `interrupted by a crash`. */
  because: string
}

export function createLedger(turn: { turnId: string; promptId: PromptId }): Ledger {
  const { turnId, promptId } = turn
  const calls = new Map<string, Extract<DurableEventInit, { type: 'tool.started' }>>()
  const questions = new Set<string>()
  const sum: Usage = { inputTokens: 0, outputTokens: 0 }
  return {
    observe: (event) => {
      if (event.type === 'tool.started') calls.set(event.callId, event)
      else if (event.type === 'tool.ended') calls.delete(event.callId)
      else if (event.type === 'permission.requested') questions.add(event.id)
      else if (event.type === 'permission.answered') questions.delete(event.id)
      else if (event.type === 'message.completed') {
        sum.inputTokens += event.usage?.inputTokens ?? 0
        sum.outputTokens += event.usage?.outputTokens ?? 0
      }
    },
    closing: ({ stopReason, usage = sum, error, because }) => [
      ...Array.from(questions, (id): DurableEventInit => ({ type: 'permission.answered', turnId, id, answer: 'deny', reason: because })),
      ...Array.from(calls.values(), ({ callId, name, input }): DurableEventInit => ({
        type: 'tool.ended',
        turnId,
        callId,
        name,
        input,
        output: `${because}: it may have run in part; look before you repeat it`,
        isError: true,
        durationMs: 0,
      })),
      { type: 'turn.ended', turnId, promptId, stopReason, usage, error },
    ],
  }
}
