import type { DurableEvent } from '@qmtcode/protocol'
import type { ModelCall } from './message-builder.ts'

/** A call that was started before its node stopped, and has no end. */
export interface BegunCall {
  /** What it asked is not answered: it has done nothing yet. */
  isWaiting: boolean
  /** The permission that it asked for, if it did. */
  request?: Extract<DurableEvent, { type: 'permission.requested' }>
}

export type BegunCalls = ReadonlyMap<string, BegunCall>

export const NONE_BEGUN: BegunCalls = new Map()

/** The calls of a turn's last message that have no end: what a turn that waited for an answer goes on with. */
export function openCalls({ turnId, events }: { turnId: string; events: readonly DurableEvent[] }): {
  calls: ModelCall[]
  begun: BegunCalls
} {
  let calls: ModelCall[] = []
  const begun = new Map<string, BegunCall>()
  const asked = new Map<string, BegunCall>() // by question
  for (const event of events) {
    if (!('turnId' in event) || event.turnId !== turnId) continue
    if (event.type === 'message.completed') {
      calls = event.content.flatMap((part) =>
        part.type === 'tool-call' ? [{ id: part.toolCallId, name: part.toolName, input: part.input }] : [],
      )
    } else if (event.type === 'tool.started') begun.set(event.callId, { isWaiting: false })
    else if (event.type === 'tool.ended') calls = calls.filter(({ id }) => id !== event.callId)
    else if (event.type === 'permission.requested' || event.type === 'question.asked') {
      const call: BegunCall = { isWaiting: true, ...(event.type === 'permission.requested' && { request: event }) }
      asked.set(event.id, call)
      begun.set(event.callId, call)
    } else if (event.type === 'permission.answered' || event.type === 'question.answered') {
      const call = asked.get(event.id)
      if (call) call.isWaiting = false
    }
  }
  return { calls, begun }
}
