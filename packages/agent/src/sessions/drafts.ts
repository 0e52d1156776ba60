import type { LiveEvent, MessageId, SessionEvent } from '@qmtcode/protocol'

type Snapshot = Extract<LiveEvent, { type: 'message.snapshot' }>

/** The messages of a session that are being written. */
export interface Drafts {
  observe(event: SessionEvent): void
  snapshots(): Snapshot[]
}

export function createDrafts(): Drafts {
  const drafts = new Map<MessageId, Snapshot>()
  return {
    observe: (event) => {
      switch (event.type) {
        case 'message.delta': {
          const { sessionId, at, turnId, messageId, kind, text } = event
          const draft: Snapshot = drafts.get(messageId) ?? {
            type: 'message.snapshot',
            sessionId,
            at,
            turnId,
            messageId,
            textSoFar: '',
            reasoningSoFar: '',
          }
          const change = kind === 'text' ? { textSoFar: draft.textSoFar + text } : { reasoningSoFar: draft.reasoningSoFar + text }
          drafts.set(messageId, { ...draft, at, ...change })
          return
        }
        case 'message.snapshot':
          drafts.set(event.messageId, event)
          return
        case 'message.completed':
          drafts.delete(event.messageId)
          return
        case 'turn.ended':
          drafts.clear()
          return
        default:
      }
    },
    snapshots: () => [...drafts.values()],
  }
}
