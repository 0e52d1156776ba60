import type { DurableEvent, DurableEventInit, SessionId } from '@qmtcode/protocol'
import type { Effect, EventRecord, StoredEvent } from './types.ts'

const TITLE_CHARS = 80
const ROW_BYTES = 100 // of an event without its body: its row, and its place in the indexes

export const bytesOf = (events: readonly StoredEvent[]): number => events.reduce((sum, { bytes }) => sum + bytes, 0)

export function toStored(event: DurableEventInit, at: number): StoredEvent {
  const { type, ...rest } = event
  const body = JSON.stringify(rest)
  return { type, at, body, bytes: Buffer.byteLength(body) + ROW_BYTES, effect: effectOf(event) }
}

/** An event as it will be read back: JSON has no undefined. */
export function withoutUndefined<Event extends object>(event: Event): Event {
  if (!Object.values(event).includes(undefined)) return event
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined)) as Event
}

/** The rows are our own: what they hold was a DurableEvent when it was written. */
export function fromRecord(sessionId: SessionId, [seq, at, type, body]: EventRecord): DurableEvent {
  return { type, seq, at, sessionId, ...(JSON.parse(body) as object) } as DurableEvent
}

/** What the tables must know of an event; most are only kept. */
function effectOf(event: DurableEventInit): Effect | undefined {
  switch (event.type) {
    case 'prompt.accepted':
      return { kind: 'accepted', promptId: event.promptId, position: event.position, title: titleOf(event) }
    case 'prompt.withdrawn':
      return { kind: 'withdrawn', promptId: event.promptId }
    case 'turn.started':
      return { kind: 'started', promptId: event.promptId }
    case 'turn.ended':
      return { kind: 'ended', promptId: event.promptId, interrupted: event.stopReason === 'interrupted' }
    case 'permission.requested':
    case 'question.asked':
      return { kind: 'waiting', change: 1 }
    case 'permission.answered':
    case 'question.answered':
      return { kind: 'waiting', change: -1 }
    case 'session.configured':
      return { kind: 'configured', title: event.title, model: event.model, mode: event.mode }
    case 'session.shared':
      return { kind: 'shared', share: { peerId: event.peerId, node: event.node, rights: event.rights } }
    case 'session.unshared':
      return { kind: 'unshared', peerId: event.peerId }
    case 'session.closed':
      return { kind: 'closed' }
    case 'session.created':
    case 'route.chosen':
    case 'message.completed':
    case 'tool.started':
    case 'tool.ended':
      return undefined
  }
}

/** The first line of a prompt names a session that has no title. */
function titleOf({ content }: Extract<DurableEventInit, { type: 'prompt.accepted' }>): string {
  for (const part of content) {
    if (part.type !== 'text') continue
    const line =
      part.text
        .trimStart()
        .slice(0, 4 * TITLE_CHARS)
        .split('\n', 1)[0]
        ?.trim() ?? ''
    if (line !== '') return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS - 1)}…` : line
  }
  return ''
}
