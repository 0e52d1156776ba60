import type { DurableEventInit, PromptId, StopReason, Usage, WireError } from '@qmtcode/protocol'
import { replyText } from '../tools/question-text.ts'

/** What a turn has begun and not ended, so that its end leaves nothing open. */
export interface Ledger {
  observe(event: DurableEventInit): void
  /** A question is open. */
  isWaiting(): boolean
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
  const questions = new Map<string, Extract<DurableEventInit, { type: 'permission.requested' | 'question.asked' }>>()
  const replies = new Map<string, string>() // by call
  const sum: Usage = { inputTokens: 0, outputTokens: 0 }
  return {
    observe: (event) => {
      if (event.type === 'tool.started') calls.set(event.callId, event)
      else if (event.type === 'tool.ended') calls.delete(event.callId)
      else if (event.type === 'permission.requested' || event.type === 'question.asked') questions.set(event.id, event)
      else if (event.type === 'permission.answered') questions.delete(event.id)
      else if (event.type === 'question.answered') {
        const asked = questions.get(event.id)
        questions.delete(event.id)
        if (asked && event.reply) replies.set(asked.callId, replyText(event.reply, event.by))
      } else if (event.type === 'message.completed') {
        sum.inputTokens += event.usage?.inputTokens ?? 0
        sum.outputTokens += event.usage?.outputTokens ?? 0
      }
    },
    isWaiting: () => questions.size > 0,
    closing: ({ stopReason, usage = sum, error, because }) => [
      ...Array.from(questions.values(), ({ type, id }): DurableEventInit =>
        type === 'question.asked'
          ? { type: 'question.answered', turnId, id, reason: because }
          : { type: 'permission.answered', turnId, id, answer: 'deny', reason: because },
      ),
      ...Array.from(calls.values(), ({ callId, name, input }): DurableEventInit => ({
        type: 'tool.ended',
        turnId,
        callId,
        name,
        input,
        output: replies.get(callId) ?? `${because}: it may have run in part; look before you repeat it`,
        isError: !replies.has(callId),
        durationMs: 0,
      })),
      { type: 'turn.ended', turnId, promptId, stopReason, usage, error },
    ],
  }
}
