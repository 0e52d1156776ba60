import { exitCodeOf, fromWireError } from '@qmtcode/protocol'
import type { AppError, SessionEvent } from '@qmtcode/protocol'

export type TurnEnded = Extract<SessionEvent, { type: 'turn.ended' }>

const STOPPED: Record<Exclude<TurnEnded['stopReason'], 'completed'>, string> = {
  cancelled: 'cancelled',
  failed: 'the turn failed',
  interrupted: 'the turn was interrupted; to continue it: qmtcode sessions resume',
  max_steps: 'stopped: too many steps in one turn',
  length: 'stopped: the model reached its length limit, and its answer is cut; to go on, prompt: continue',
  refused: 'the model refused to answer',
  empty: 'the model gave no answer',
  unparsed_call: 'the model wrote a tool call as text',
  looping: 'stopped: the model repeats itself',
}

/** Why a turn stopped, in a few words; undefined where it came to its end, or where its error says it. */
export function stopText(event: TurnEnded): string | undefined {
  return event.stopReason === 'completed' || event.error ? undefined : STOPPED[event.stopReason]
}

/** `12 tokens in, 3 out · 15 of 8192 in context`; undefined where no model was called. */
export function usageText({ usage: { inputTokens, outputTokens, context } }: TurnEnded): string | undefined {
  const full = context && `${context.used} of ${context.size} in context`
  if (inputTokens + outputTokens === 0) return full
  const used = `${inputTokens} tokens in, ${outputTokens} out`
  return full === undefined ? used : `${used} · ${full}`
}

export const turnError = (event: TurnEnded): AppError | undefined => event.error && fromWireError(event.error)

/** The exit code that a turn's end stands for. `unanswered`: a permission was denied because nobody could give it. */
export function turnExitCode(event: TurnEnded, unanswered: boolean): number {
  switch (event.stopReason) {
    case 'completed':
      return unanswered ? 4 : 0
    case 'cancelled':
      return 130
    case 'refused':
      return 4
    case 'failed':
    case 'interrupted':
    case 'max_steps':
    case 'length':
    case 'empty':
    case 'unparsed_call':
    case 'looping':
      return event.error ? exitCodeOf(fromWireError(event.error)) : 1
  }
}
