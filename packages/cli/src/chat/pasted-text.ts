import { TYPED_BREAK } from './key-input.ts'

/** What a person has put into a line of input: the text that is meant, and how it got there. */
export interface TypedLine {
  /** As it stood in the input: it can be put there again. */
  shown: string
  /** Pastes and line breaks are in it as they were. */
  text: string
  /** The line begins with what was pasted: it is no command, whatever it begins with. */
  isPasted: boolean
  /** Something in it was pasted. */
  hasPaste: boolean
}

/** Pastes of this terminal: one line of input stands for each, so that a line break in it is no Enter. */
export interface PastedTexts {
  /** Keeps a paste; returns what is shown for it. */
  add(text: string): string
  /** The text that a line of input means. */
  expand(line: string): TypedLine
}

const KEPT = 200 // lines of the history may name pastes again
const PREVIEW = 24

export function createPastedTexts(): PastedTexts {
  /** By what is shown, the latest last. */
  const pastes = new Map<string, string>()
  let count = 0
  const shownFor = (text: string): string => {
    if (isPlainLine(text)) return text
    count += 1
    const lines = text.replace(/\n$/, '').split('\n')
    const size = lines.length === 1 ? `${text.length} characters` : `${lines.length} lines`
    return `[pasted #${count}, ${size}: ${previewOf(text)}]`
  }
  return {
    add: (text) => {
      if (text === '') return ''
      const shown = shownFor(text)
      pastes.delete(shown)
      pastes.set(shown, text)
      const [oldest] = pastes.keys()
      if (pastes.size > KEPT && oldest !== undefined) pastes.delete(oldest)
      return shown
    },
    expand: (line) => {
      const found = [...pastes].filter(([shown]) => line.includes(shown))
      const expanded = found.filter(([shown, text]) => shown !== text)
      const typed = line.replaceAll(TYPED_BREAK, '\n')
      return {
        shown: line,
        text: expanded.reduce((text, [shown, pasted]) => text.replaceAll(shown, () => pasted), typed),
        isPasted: found.some(([shown]) => line.startsWith(shown)),
        hasPaste: found.length > 0,
      }
    },
  }
}

/** Stands in the input as it is: one line that holds nothing but text. */
const isPlainLine = (text: string): boolean => !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text) && !text.includes(TYPED_BREAK)

function previewOf(text: string): string {
  const [line = ''] =
    text
      .replaceAll(/[⏎\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
      .trim()
      .match(/^.*$/su) ?? []
  return line.length > PREVIEW ? `${line.slice(0, PREVIEW).trimEnd()}…` : line
}
