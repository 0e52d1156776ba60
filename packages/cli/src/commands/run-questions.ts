import { createInterface } from 'node:readline'
import { isAppError } from '@qmtcode/protocol'
import type { SessionAnswer, SessionEvent } from '@qmtcode/protocol'
import { createKeyInput } from '../chat/key-input.ts'
import { modelQuestion } from '../chat/model-question.ts'
import { createPastedTexts } from '../chat/pasted-text.ts'
import type { TypedLine } from '../chat/pasted-text.ts'
import { permissionQuestion } from '../chat/permission-question.ts'
import { createQuestions } from '../chat/questions.ts'
import { errorLines } from '../output/errors.ts'
import type { InputStream } from '../node-handle.ts'
import type { CommandContext } from './context.ts'

/** What a turn asks, put to the person at the terminal of a command: questions on stderr, answers from stdin. */
export interface RunQuestions extends Disposable {
  show(event: SessionEvent): void
}

/** Somebody sits at the terminal, and reads what is asked. */
export const canAsk = ({ components, err, globals }: CommandContext): boolean =>
  components.stdin.isTTY === true && err.isTTY && !globals.headless

export function createRunQuestions(
  { components, err, errStyle }: CommandContext,
  { isHost, answer }: { /** Reserved questions are for whoever sits here. */ isHost: boolean; answer(given: SessionAnswer): Promise<void> },
): RunQuestions {
  let stopReading: (() => void) | undefined
  const questions = createQuestions(
    {
      print: err.line,
      setPrompt: err.write,
      isTyping: () => false,
      takeInput: () => '',
      putInput: () => {},
    },
    { prompt: () => '', paint: errStyle.yellow, hasInputLine: false },
  )
  const take = (line: TypedLine): void => {
    questions
      .answer(line)?.()
      .catch((error: unknown) => {
        if (isAppError(error, 'conflict')) return // who was faster is told by the event
        for (const told of errorLines(error, errStyle)) err.line(told)
      })
  }
  const listen = (): void => {
    stopReading ??= readLines(components.stdin, take)
  }
  return {
    show: (event) => {
      if (event.type === 'permission.requested' && (isHost || !event.reserved)) {
        listen()
        questions.ask(permissionQuestion(event, answer))
      } else if (event.type === 'question.asked') {
        listen()
        questions.ask(modelQuestion(event, answer))
      } else if (event.type === 'permission.answered' || event.type === 'question.answered') questions.settle(event.id)
    },
    [Symbol.dispose]: () => stopReading?.(),
  }
}

/** Ctrl-C stays a signal: the terminal edits the lines. */
function readLines(input: InputStream, take: (line: TypedLine) => void): () => void {
  const pastes = createPastedTexts()
  const keys = createKeyInput(input, { onPaste: (text) => `${pastes.add(text)}\n` })
  const lines = createInterface({ input: keys.stream, terminal: false }).on('line', (line) => take(pastes.expand(line)))
  return () => {
    keys.stop()
    lines.close()
  }
}
