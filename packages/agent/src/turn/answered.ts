import type { DurableEvent, PromptId } from '@qmtcode/protocol'

/**
 * Whether the model has answered the prompt to its end. A crash between an answer and the end of its turn leaves such a log:
 * the resumed turn has nothing to ask.
 */
export function isAnswered({ events, promptId }: { events: readonly DurableEvent[]; promptId: PromptId }): boolean {
  const turns = new Set<string>()
  let last: Extract<DurableEvent, { type: 'message.completed' }> | undefined
  for (const event of events) {
    if (event.type === 'turn.started' && event.promptId === promptId) turns.add(event.turnId)
    if (event.type === 'message.completed' && turns.has(event.turnId)) last = event
  }
  return last !== undefined && last.partial !== true && last.content.every(({ type }) => type !== 'tool-call')
}
