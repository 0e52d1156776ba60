import type { MessageId, SessionEvent } from '@qmtcode/protocol'

type MessageEvent = Extract<SessionEvent, { type: 'message.delta' | 'message.snapshot' | 'message.completed' }>

export interface MessageText {
  kind: 'text' | 'reasoning'
  text: string
}

/**
 * What is new in a message: deltas may be lost and snapshots repeat, so it remembers what it gave out and gives each character once.
 * A message that contradicts what was given out comes again whole, after a line end.
 */
export function createMessageReader(): (event: MessageEvent) => MessageText[] {
  let messageId: MessageId | undefined
  let given = { text: '', reasoning: '' }

  const upTo = (kind: MessageText['kind'], whole: string): MessageText[] => {
    const before = given[kind]
    given[kind] = whole
    if (whole === before) return []
    return [{ kind, text: whole.startsWith(before) ? whole.slice(before.length) : `\n${whole}` }]
  }

  return (event) => {
    if (event.messageId !== messageId) {
      messageId = event.messageId
      given = { text: '', reasoning: '' }
    }
    switch (event.type) {
      case 'message.delta':
        given[event.kind] += event.text
        return [{ kind: event.kind, text: event.text }]
      case 'message.snapshot':
        return [...upTo('reasoning', event.reasoningSoFar), ...upTo('text', event.textSoFar)]
      case 'message.completed':
        return upTo('text', event.text)
    }
  }
}
