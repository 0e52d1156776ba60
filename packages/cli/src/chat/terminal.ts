import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import { callbackify } from 'node:util'
import type { InputStream, OutputStream } from '../node-handle.ts'
import { displayWidth } from '../output/width.ts'
import { wrapWords } from '../output/wrap-words.ts'
import { PASTE_MARKS_OFF, PASTE_MARKS_ON, TYPED_BREAK, createKeyInput } from './key-input.ts'
import { createPastedTexts } from './pasted-text.ts'
import type { TypedLine } from './pasted-text.ts'

/** A line of input at the bottom, and all that happens above it. Text given to it is safe for a terminal already. */
export interface ChatTerminal {
  /** Whole lines above the input. */
  print(text: string): void
  /** Continues the text that streams above the input. */
  stream(piece: string, paint: Paint): void
  endStream(): void
  setPrompt(prompt: string): void
  /** Something stands in the input. */
  isTyping(): boolean
  /** Empties the input; returns what was in it. */
  takeInput(): string
  putInput(text: string): void
  close(): void
}

type Paint = (text: string) => string

export interface ChatTerminalListeners {
  onLine(line: TypedLine): void
  /** `shown` stands for a paste in a line. True: it is kept elsewhere and does not come into the input. */
  onPaste(shown: string): boolean
  /** Ctrl-C. */
  onInterrupt(): void
  /** Ctrl-D. */
  onEnd(): void
  /** The terminal went away. */
  onGone(): void
  /** Tab: what may stand in place of the last characters before the cursor, and these. */
  complete?(line: string): Promise<[string[], string]>
}

interface Input extends Interface {
  /** Rows above the cursor's that readline clears when it draws; not in its documented interface. */
  prevRows?: number
}

export function createChatTerminal(streams: { input: InputStream; output: OutputStream }, listeners: ChatTerminalListeners): ChatTerminal {
  const { input, output } = streams
  const complete = async (line: string): Promise<[string[], string]> => {
    const none: [string[], string] = [[], line] // a key that completes nothing
    return (await listeners.complete?.(line).catch(() => none)) ?? none
  }
  const completer = callbackify(complete)
  const pastes = createPastedTexts()
  const onPaste = (text: string): string => {
    const shown = pastes.add(text)
    return listeners.onPaste(shown) ? '' : shown
  }
  const keys = createKeyInput(input, { onPaste })
  output.write(PASTE_MARKS_ON)
  const rl: Input = createInterface({
    input: keys.stream,
    output,
    completer,
    terminal: true,
    historySize: 200,
    removeHistoryDuplicates: true,
  })
  /** The last, unfinished line of what streams; it stands above the input. */
  let partial = ''
  let paint: Paint = plain
  let drawn = false
  let closed = false

  const erase = () => {
    if (!drawn) return
    const up = rl.getCursorPos().rows + (partial === '' ? 0 : 1)
    output.write(`${up > 0 ? `\u001b[${up}A` : ''}\r\u001b[J`)
    drawn = false
  }
  const draw = () => {
    if (closed) return
    if (partial !== '') output.write(`${paint(partial)}\n`)
    rl.prevRows = 0
    rl.prompt(true)
    drawn = true
  }
  const commit = (lines: readonly string[]) => {
    for (const line of lines) output.write(`${paint(line)}\n`)
  }
  const endStream = () => {
    if (partial === '' || closed) return
    erase()
    commit([partial])
    partial = ''
    draw()
  }

  rl.on('line', (line) => {
    // Enter has moved the cursor below the input: what was drawn stays as it is.
    drawn = false
    partial = ''
    if (isContinued(line)) rl.write(`${line.slice(0, -1)}${TYPED_BREAK}`)
    else listeners.onLine(pastes.expand(line))
    if (!drawn) draw()
  })
  rl.on('SIGINT', listeners.onInterrupt)
  rl.on('close', () => {
    closed = true
    keys.stop()
    output.write(PASTE_MARKS_OFF)
    if (drawn) output.write('\n') // Ctrl-D leaves the cursor in the input
    if (keys.stream.readableEnded) listeners.onGone()
    else listeners.onEnd()
  })

  return {
    print: (text) => {
      if (closed) return
      endStream()
      erase()
      output.write(`${wrapWords(text, output.columns ?? 0)}\n`)
      draw()
    },
    stream: (piece, newPaint) => {
      if (closed) return
      if (newPaint !== paint) endStream()
      erase()
      paint = newPaint
      const { lines, rest } = wrap(partial + piece.replaceAll('\t', '    '), output.columns ?? 80)
      partial = rest
      commit(lines)
      draw()
    },
    endStream,
    setPrompt: (prompt) => {
      erase()
      rl.setPrompt(prompt)
      draw()
    },
    isTyping: () => rl.line !== '',
    takeInput: () => {
      if (closed) return ''
      const text = rl.line
      rl.write(null, { ctrl: true, name: 'e' })
      rl.write(null, { ctrl: true, name: 'u' })
      return text
    },
    putInput: (text) => {
      if (text !== '' && !closed) rl.write(text)
    },
    close: () => {
      if (closed) return
      endStream()
      erase()
      rl.close()
    },
  }
}

const plain: Paint = (text) => text

/** A backslash before Enter asks for another line. Two of them are a backslash. */
const isContinued = (line: string): boolean => /(?<!\\)\\$/.test(line)

/** Cuts text into lines shorter than `columns`, at blanks where there are some; the rest is less than a line. */
export function wrap(text: string, columns: number): { lines: string[]; rest: string } {
  const lines = text.split('\n')
  const rest = lines.pop() ?? ''
  const wrapped = lines.flatMap((line) => wrapLine(line, columns))
  const tail = wrapLine(rest, columns)
  return { lines: [...wrapped, ...tail.slice(0, -1)], rest: tail.at(-1) ?? '' }
}

function wrapLine(line: string, columns: number): string[] {
  const lines: string[] = []
  let current = ''
  let width = 0
  for (const char of line) {
    current += char
    width += displayWidth(char)
    if (width < columns) continue
    const blank = current.lastIndexOf(' ')
    const cut = blank > 0 && current.slice(0, blank).trim() !== '' ? blank + 1 : current.length - char.length
    lines.push(current.slice(0, cut).trimEnd())
    current = current.slice(cut)
    width = displayWidth(current)
  }
  return [...lines, current]
}
