import { stripVTControlCharacters } from 'node:util'
import { displayWidth } from './width.ts'

/**
 * Breaks the lines of a whole text at blanks where they reach `columns`, under their own indent; 0: unknown, nothing is broken. Colours take
 * no room, and words and commands of qmtcode that are longer than a line stay whole, so that they can be copied.
 */
export function wrapWords(text: string, columns: number): string {
  if (columns <= 0) return text
  return text
    .split('\n')
    .map((line) => wrapAtBlanks(line, columns))
    .join('\n')
}

/** A word, or a command to copy up to its end, with the blanks before it. */
const UNBROKEN = /( *)(?:qmtcode [a-z-][^;,)]*[;,)]*|[^ ]+)/g

function wrapAtBlanks(line: string, columns: number): string {
  if (displayWidth(line) < columns) return line
  const indent = /^ */.exec(stripVTControlCharacters(line))?.[0] ?? ''
  const lines: string[] = []
  let current = ''
  for (const [piece = '', blanks = ''] of line.matchAll(UNBROKEN)) {
    const isFirst = stripVTControlCharacters(current).trim() === ''
    if (isFirst || displayWidth(current + piece) < columns) current += piece
    else {
      lines.push(current)
      current = indent + piece.slice(blanks.length)
    }
  }
  return [...lines, current].join('\n')
}
