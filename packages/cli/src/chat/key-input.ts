import { StringDecoder } from 'node:string_decoder'
import { Transform } from 'node:stream'
import type { TransformCallback } from 'node:stream'
import type { InputStream } from '../node-handle.ts'

/** Asks the terminal to mark what is pasted (bracketed paste, xterm's private mode 2004), and stops asking. */
export const PASTE_MARKS_ON = '\u001b[?2004h'
export const PASTE_MARKS_OFF = '\u001b[?2004l'

/** Stands in the input for a line break that the person typed with Alt-Enter or Shift-Enter. */
export const TYPED_BREAK = '⏎'

const PASTE_BEGIN = '\u001b[200~'
const PASTE_END = '\u001b[201~'
/** Of terminals with the Kitty keyboard protocol. */
const SHIFT_ENTER = '\u001b[13;2u'
const TYPED_BREAKS = /\u001b[\r\n]|\u001b\[13;2u/g // oxlint-disable-line no-control-regex

/** No hand presses a key this soon after Enter: what comes earlier was pasted, by a terminal that marks nothing. */
const ENTER_MS = 20
/** A terminal that never ends a paste has lost its line: what came is the paste. */
const UNENDED_PASTE_MS = 2_000
/** The rest of an escape sequence that was cut follows at once; an Escape that a person pressed stays alone. */
const CUT_SEQUENCE_MS = 30

export interface KeyInputListeners {
  /** What is pasted, whole, its line breaks as `\n`. Returns what stands for it in the input, as one line; '' for nothing. */
  onPaste(text: string): string
}

/** Keys of a terminal, with pastes taken out of them: for readline, which takes each line break of a paste for Enter. */
export interface KeyInput {
  stream: Transform & InputStream
  /** Reads no more of the terminal. */
  stop(): void
}

/**
 * Text that comes in one piece is one paste: between the marks of a terminal that sets them, else where a line break is followed by more
 * text sooner than a hand could type it. Everything else passes as keys, in order; Enter waits 20 ms for what may follow it.
 */
export function createKeyInput(source: InputStream, { onPaste }: KeyInputListeners): KeyInput {
  const decoder = new StringDecoder('utf8')
  /** Came, and is neither keys nor a paste yet. */
  let held = ''
  let timer: NodeJS.Timeout | undefined

  const paste = (text: string): void => {
    const shown = onPaste(text.replaceAll(/\r\n?/g, '\n'))
    if (shown !== '') keys.push(shown)
  }
  const passKeys = (text: string): void => {
    if (text !== '') keys.push(text.replaceAll(TYPED_BREAKS, TYPED_BREAK))
  }
  /** Sorts what is held; what is left waits `ms` for more, then `late` decides. */
  const sort = (late: boolean): void => {
    clearTimeout(timer)
    for (;;) {
      const step = nextStep(held, late)
      if ('waitMs' in step) {
        if (held !== '') timer = setTimeout(() => sort(true), step.waitMs).unref()
        return
      }
      held = held.slice(step.length)
      if (step.isPaste) paste(step.text)
      else passKeys(step.text)
    }
  }
  const keys = new Transform({
    transform: (piece: Buffer | string, _encoding, done: TransformCallback) => {
      held += typeof piece === 'string' ? piece : decoder.write(piece)
      sort(false)
      done()
    },
    flush: (done) => {
      held += decoder.end()
      sort(true)
      done()
    },
  })
  source.on('error', () => keys.end()) // a terminal that went away fails to be read
  source.pipe(keys)
  return {
    stream: Object.assign(keys, { isTTY: source.isTTY, setRawMode: (isRaw: boolean) => setRawMode(source, isRaw) }),
    stop: () => {
      clearTimeout(timer)
      source.unpipe(keys)
      source.pause()
    },
  }
}

function setRawMode(source: InputStream, isRaw: boolean): void {
  if ('setRawMode' in source && typeof source.setRawMode === 'function') source.setRawMode(isRaw)
}

type Step = { waitMs: number } | { length: number; text: string; isPaste: boolean }

/** What the beginning of `held` is. `late`: nothing more came in time. */
function nextStep(held: string, late: boolean): Step {
  if (held.startsWith(PASTE_BEGIN)) return markedPaste(held, late)
  const mark = held.indexOf(PASTE_BEGIN)
  const unmarked = mark < 0 ? held : held.slice(0, mark)
  const cut = mark < 0 && !late ? cutSequence(unmarked) : 0
  const text = unmarked.slice(0, unmarked.length - cut)
  if (text === '') return { waitMs: CUT_SEQUENCE_MS }
  return unmarkedText(text, late || mark >= 0 || cut > 0)
}

function markedPaste(held: string, late: boolean): Step {
  const end = held.indexOf(PASTE_END)
  if (end >= 0) return { length: end + PASTE_END.length, text: held.slice(PASTE_BEGIN.length, end), isPaste: true }
  return late ? { length: held.length, text: held.slice(PASTE_BEGIN.length), isPaste: true } : { waitMs: UNENDED_PASTE_MS }
}

/** How many of the last characters may begin a sequence that is read here. */
function cutSequence(text: string): number {
  const [cut = ''] = /\u001b[^\u001b]{0,6}$/.exec(text) ?? [] // oxlint-disable-line no-control-regex
  return [PASTE_BEGIN, SHIFT_ENTER].some((sequence) => sequence !== cut && sequence.startsWith(cut)) ? cut.length : 0
}

/** `isEnd`: what follows, if anything, is no text. */
function unmarkedText(text: string, isEnd: boolean): Step {
  const enter = /(?<!\u001b)\r\n?|(?<!\u001b)\n/.exec(text) // oxlint-disable-line no-control-regex
  if (!enter) return { length: text.length, text, isPaste: false }
  const after = enter.index + enter[0].length
  const rest = text.slice(after)
  if (isControl(rest)) return { length: after, text: text.slice(0, after), isPaste: false }
  if (!isEnd) {
    // The keys before Enter are shown at once; Enter itself waits.
    const hasKeys = enter.index > 0 && /^[\r\n]*$/.test(rest)
    return hasKeys ? { length: enter.index, text: text.slice(0, enter.index), isPaste: false } : { waitMs: ENTER_MS }
  }
  return isText(rest) ? { length: text.length, text, isPaste: true } : { length: after, text: text.slice(0, after), isPaste: false }
}

/** Begins with a key such as Ctrl-C or an arrow, behind Enter or not. */
const isControl = (text: string): boolean => /^[\r\n]*[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) // oxlint-disable-line no-control-regex

/** More than line breaks: Enter may be held down. */
const isText = (text: string): boolean => /[^\r\n]/.test(text)
