import { createInterface } from 'node:readline'
import type { InputStream, OutputStream } from '../node-handle.ts'
import { createKeyInput } from './key-input.ts'
import { createPastedTexts } from './pasted-text.ts'
import type { ChatTerminal, ChatTerminalListeners } from './terminal.ts'

/**
 * For a terminal that knows no escape sequences (`TERM=dumb`: an editor's shell window, a serial line): whole lines, each written once. The
 * terminal itself shows and edits what is typed.
 */
export function createPlainTerminal(
  { input, output }: { input: InputStream; output: OutputStream },
  listeners: ChatTerminalListeners,
): ChatTerminal {
  const pastes = createPastedTexts()
  const onPaste = (text: string): string => {
    const shown = pastes.add(text)
    return listeners.onPaste(shown) ? '' : `${shown}\n` // it is on the screen already, and its Enter is part of it
  }
  const keys = createKeyInput(input, { onPaste })
  const lines = createInterface({ input: keys.stream, terminal: false })
  let prompt = ''
  /** Something stands in the line of the cursor. */
  let isMidLine = false
  let closed = false
  const write = (text: string): void => {
    if (closed || text === '') return
    output.write(text)
    isMidLine = !text.endsWith('\n')
  }
  const endLine = (): void => {
    if (isMidLine) write('\n')
  }
  lines.on('line', (line) => {
    isMidLine = false
    prompt = ''
    listeners.onLine(pastes.expand(line))
  })
  lines.on('close', () => {
    endLine()
    closed = true
    keys.stop()
    listeners.onEnd() // Ctrl-D is the end of the input here
  })
  return {
    print: (text) => {
      endLine()
      write(`${text}\n`)
    },
    stream: (piece) => write(piece),
    endStream: endLine,
    setPrompt: (next) => {
      if (next === prompt) return
      prompt = next
      endLine()
      write(next)
    },
    isTyping: () => false,
    takeInput: () => '',
    putInput: () => {},
    close: () => lines.close(),
  }
}
