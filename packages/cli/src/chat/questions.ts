import type { PermissionAnswer, SessionEvent } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'
import type { ChatTerminal } from './terminal.ts'

type PermissionRequest = Extract<SessionEvent, { type: 'permission.requested' }>

/** Permission questions, one at a time in the order they came; what the person was typing is kept for afterwards. */
export interface Questions {
  /** A question waits: the next line is its answer. */
  pending(): boolean
  ask(request: PermissionRequest): void
  /** The question was answered, here or elsewhere. */
  settle(id: string): void
  /** Takes a line as the answer to the question shown, and shows the next; undefined, and the same again, where it is none. */
  answer(line: string): { id: string; answer: PermissionAnswer } | undefined
  /** Forgets all: their turn is over. */
  clear(): void
}

export interface QuestionsOptions {
  prompt: string
  paint(text: string): string
}

const ANSWERS: Record<string, PermissionAnswer> = {
  y: 'allow',
  yes: 'allow',
  a: 'allow_session',
  always: 'allow_session',
  n: 'deny',
  no: 'deny',
}

export function createQuestions(terminal: ChatTerminal, { prompt, paint }: QuestionsOptions): Questions {
  let waiting: PermissionRequest[] = []
  let typed = ''

  const show = () => {
    const [request] = waiting
    if (request === undefined) {
      terminal.setPrompt(prompt)
      terminal.putInput(typed)
      typed = ''
      return
    }
    terminal.setPrompt(paint(`allow ${printableLine(request.tool, 40)}? y once · a in this session · n no › `))
  }
  return {
    pending: () => waiting.length > 0,
    ask: (request) => {
      waiting.push(request)
      if (waiting.length > 1) return
      typed = terminal.takeInput()
      show()
    },
    settle: (id) => {
      const wasFirst = waiting[0]?.id === id
      waiting = waiting.filter((request) => request.id !== id)
      if (wasFirst) show()
    },
    answer: (line) => {
      const [request] = waiting
      const answer = ANSWERS[line.trim().toLowerCase()]
      if (request === undefined) return undefined
      if (answer === undefined) {
        terminal.print(paint('y, a or n'))
        return undefined
      }
      waiting = waiting.slice(1)
      show()
      return { id: request.id, answer }
    },
    clear: () => {
      if (waiting.length === 0) return
      waiting = []
      show()
    },
  }
}
