import type { Conversation } from './conversation.ts'
import type { ChatTerminal } from './terminal.ts'

/** Ctrl-C: cancels what runs, or empties the input; pressed again it quits. */
export interface CancelKey {
  press(): void
  /** The person went on: the next press is a first one again. */
  disarm(): void
}

export interface CancelKeyComponents {
  conversation: Conversation
  terminal: ChatTerminal
  say(text: string): void
  quit(): void
  onError(error: unknown): void
}

export function createCancelKey({ conversation, terminal, say, quit, onError }: CancelKeyComponents): CancelKey {
  let armed = false
  return {
    press: () => {
      if (armed) return quit()
      if (!conversation.busy() && terminal.takeInput() !== '') return
      armed = true
      if (!conversation.busy()) return say('Ctrl-C again, or Ctrl-D, to leave')
      say('cancelling … Ctrl-C again to leave')
      conversation.cancel().catch(onError)
    },
    disarm: () => (armed = false),
  }
}
