import type { TypedLine } from './pasted-text.ts'
import type { ChatTerminal } from './terminal.ts'

/** Something that a person decides by typing a line. */
export interface Question {
  id: string
  /** What is asked, where it is too long to stand before the cursor: a line above it. */
  text?: string
  /** Stands before the cursor: what is asked, and then by which keys it is answered. */
  prompt: { asked: string; keys: string }
  /** A paste may be the answer: it is asked for words. */
  takesPaste?: boolean
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

/** Who types as a question comes has not read it yet: what is typed within this time goes to the next prompt. */
const UNREAD_MS = 500

/**
 * Questions, one at a time in the order they came; what the person was typing is kept for afterwards, and so is what they type in the first
 * half second of a question, before the keys are shown that answer it.
 */
export interface Questions {
  /** A question waits: the next line is its answer. */
  pending(): boolean
  ask(question: Question): void
  /** The question was answered, here or elsewhere, or is none any more. */
  settle(id: string): void
  /** Takes a line as the answer to the question shown, and shows the next; returns what the answer does. Undefined, and the same again, where it is none. */
  answer(line: Omit<TypedLine, 'isPasted'>): (() => Promise<void>) | undefined
  /** Keeps a paste for the next prompt. False: no question waits, or it may be the answer. */
  keepPaste(shown: string): boolean
  /** Where no question waits, the prompt changed. */
  refresh(): void
  /** A line was ended: now patient questions come. */
  rest(): void
}

export interface QuestionsOptions {
  /** Stands before the cursor where no question waits. */
  prompt(): string
  paint(text: string): string
  /** There is a line of input, which shows what is asked before its keys answer. */
  hasInputLine: boolean
}

type QuestionsTerminal = Pick<ChatTerminal, 'print' | 'setPrompt' | 'isTyping' | 'takeInput' | 'putInput'>

export function createQuestions(terminal: QuestionsTerminal, { prompt, paint, hasInputLine }: QuestionsOptions): Questions {
  let waiting: Question[] = []
  let patient: Question[] = []
  let typed = ''
  /** Runs while the question has just been shown. */
  let unread: NodeJS.Timeout | undefined

  const show = () => {
    clearTimeout(unread)
    unread = undefined
    const [question] = waiting
    if (question === undefined) {
      terminal.setPrompt(prompt())
      terminal.putInput(typed)
      typed = ''
      return
    }
    if (question.text !== undefined) terminal.print(paint(question.text))
    if (hasInputLine) terminal.setPrompt(paint(`${question.prompt.asked}… `))
    unread = setTimeout(() => listen(question), UNREAD_MS).unref()
  }
  const listen = ({ prompt: { asked, keys } }: Question): void => {
    unread = undefined
    typed += terminal.takeInput()
    terminal.setPrompt(paint(`${asked}${keys} › `))
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
      if (unread !== undefined) {
        typed += line.shown
        return undefined
      }
      const taken = line.hasPaste && question.takesPaste !== true ? 'a paste answers nothing here: type it' : question.take(line.text)
      if (typeof taken === 'string') {
        terminal.print(paint(taken))
        return undefined
      }
      waiting = waiting.slice(1)
      show()
      return taken
    },
    keepPaste: (shown) => {
      const [question] = waiting
      if (question === undefined || (question.takesPaste === true && unread === undefined)) return false
      typed += shown
      return true
    },
    refresh: () => {
      if (waiting.length === 0) terminal.setPrompt(prompt())
    },
    rest: () => {
      if (!terminal.isTyping()) for (const question of patient.splice(0)) ask(question)
    },
  }
}
