import type { EventLog } from '@qmtcode/agent'
import { newMessageId } from '@qmtcode/protocol'
import type { SessionId } from '@qmtcode/protocol'

const BATCH = 500
export const SENTENCES = 'A sentence or two, as a model writes it between one call of a tool and the next. '.repeat(3)

/** Appends so many answers of a model. */
export async function fill(log: EventLog, id: SessionId, count: number): Promise<void> {
  const content = [{ type: 'text', text: SENTENCES } as const]
  const message = () =>
    ({ type: 'message.completed', turnId: 'turn_bench', messageId: newMessageId(), role: 'assistant', text: SENTENCES, content }) as const
  for (let left = count; left > 0; left -= BATCH) await log.append(id, Array.from({ length: Math.min(left, BATCH) }, message))
}
