import type { Author, DurableEvent, PromptId } from '@qmtcode/protocol'

/** Tools whose results are words that people and agents of other nodes wrote. */
const OTHERS_WORDS: readonly string[] = ['board_read']

/** Whether words of another node's person or agent are in what the model reads. It never becomes false again: what was read was read. */
export interface GuestWords {
  observe(event: DurableEvent): void
  has(): boolean
}

/**
 * A turn has the least rights of all whose words are in it. Words of guests come by their prompts (also those that a fork copied), by their
 * answers to questions of the model, and by tools that show what others wrote. A prompt that still waits is in no context.
 */
export function createGuestWords(isGuest: (author: Author) => boolean): GuestWords {
  const waiting = new Set<PromptId>()
  let found = false
  return {
    observe(event) {
      switch (event.type) {
        case 'prompt.accepted':
          if (isGuest(event.author)) waiting.add(event.promptId)
          return
        case 'turn.started':
          found ||= waiting.has(event.promptId)
          return
        case 'question.answered':
          found ||= event.reply !== undefined && event.by !== undefined && isGuest(event.by)
          return
        case 'tool.ended':
          found ||= OTHERS_WORDS.includes(event.name) && !event.isError
          return
        default:
          return
      }
    },
    has: () => found,
  }
}
