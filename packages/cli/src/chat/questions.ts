import type { ChatTerminal } from './terminal.ts'

/** Something that a person decides by typing a line. */
export interface Question {
  id: string
  /** What is asked, where it is too long to stand before the cursor: a line above it. */
  text?: string
  /** Stands before the cursor. */
  prompt: string
  /** Comes only while nothing is being typed: what a stranger does neither takes the line away nor is answered by its end. */
  isPatient?: boolean
  /** What a line does; or what is said where it is no answer. */
  take(line: string): (() => Promise<void>) | string
}

/** For a question with words to choose from, in lower case. */
export const byWord =
  (choices: Readonly<Record<string, () => Promise<void>>>, help: string): Question['take'] =>
  (line) => {
    const word = line.trim().toLowerCase()
    return (Object.hasOwn(choices, word) ? choices[word] : undefined) ?? help
  }

/** Questions, one at a time in the order they came; what the person was typing is kept for afterwards. */
export interface Questions {
  /** A question waits: the next line is its answer. */
  pending(): boolean
  ask(question: Question): void
  /** The question was answered, here or elsewhere, or is none any more. */
  settle(id: string): void
  /** Takes a line as the answer to the question shown, and shows the next; returns what the answer does. Undefined, and the same again, where it is none. */
  answer(line: string): (() => Promise<void>) | undefined
  /** Where no question waits, the prompt changed. */
  refresh(): void
  /** A line was ended: now patient questions come. */
  rest(): void
}

export interface QuestionsOptions {
  /** Stands before the cursor where no question waits. */
  prompt(): string
  paint(text: string): string
}

type QuestionsTerminal = Pick<ChatTerminal, 'print' | 'setPrompt' | 'isTyping' | 'takeInput' | 'putInput'>

export function createQuestions(terminal: QuestionsTerminal, { prompt, paint }: QuestionsOptions): Questions {
  let waiting: Question[] = []
  let patient: Question[] = []
  let typed = ''

  const show = () => {
    const [question] = waiting
    if (question?.text !== undefined) terminal.print(paint(question.text))
    terminal.setPrompt(question === undefined ? prompt() : paint(question.prompt))
    if (question !== undefined) return
    terminal.putInput(typed)
    typed = ''
  }
  const ask = (question: Question): void => {
    waiting.push(question)
    if (waiting.length > 1) return
    typed = terminal.takeInput()
    show()
  }
  return {
    pending: () => waiting.length > 0,
    ask: (question) => {
      if (question.isPatient === true && terminal.isTyping()) patient.push(question)
      else ask(question)
    },
    settle: (id) => {
      patient = patient.filter((question) => question.id !== id)
      const wasFirst = waiting[0]?.id === id
      waiting = waiting.filter((question) => question.id !== id)
      if (wasFirst) show()
    },
    answer: (line) => {
      const [question] = waiting
      if (question === undefined) return undefined
      const taken = question.take(line)
      if (typeof taken === 'string') {
        terminal.print(paint(taken))
        return undefined
      }
      waiting = waiting.slice(1)
      show()
      return taken
    },
    refresh: () => {
      if (waiting.length === 0) terminal.setPrompt(prompt())
    },
    rest: () => {
      if (!terminal.isTyping()) for (const question of patient.splice(0)) ask(question)
    },
  }
}
