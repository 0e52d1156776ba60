import { similarity } from './similarity.ts'

export interface Replacement {
  oldText: string
  newText: string
  replaceAll: boolean
}
export type Replaced = { ok: true; text: string; count: number } | { ok: false; problem: string }

/**
 * Exact search and replace. Line ends do not count when searching: a match is found whether file or `oldText` has CRLF or LF,
 * and what is put in takes the file's.
 */
export function replaceText(text: string, { oldText, newText, replaceAll }: Replacement): Replaced {
  const wanted = toLf(oldText)
  if (wanted === '') return { ok: false, problem: 'old_string is empty: give the text to replace (to create a file, use write_file)' }
  if (wanted === toLf(newText)) return { ok: false, problem: 'old_string and new_string are the same: nothing to do' }
  const plain = toLf(text)
  const starts = matchesOf(plain, wanted)
  if (starts.length === 0) return { ok: false, problem: noMatch(plain, wanted) }
  if (starts.length > 1 && !replaceAll) return { ok: false, problem: manyMatches(plain, starts) }
  const replacement = usesCrlf(text) ? toLf(newText).replaceAll('\n', '\r\n') : toLf(newText)
  return { ok: true, text: splice(text, starts, { length: wanted.length, replacement }), count: starts.length }
}

const toLf = (text: string): string => text.replaceAll('\r\n', '\n')

function usesCrlf(text: string): boolean {
  const crlf = text.split('\r\n').length - 1
  return crlf * 2 > text.split('\n').length - 1
}

function matchesOf(text: string, wanted: string): number[] {
  const starts: number[] = []
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) starts.push(at)
  return starts
}

/** `starts` count in the text with LF only; the untouched rest keeps its own line ends. */
function splice(text: string, starts: number[], put: { length: number; replacement: string }): string {
  let result = ''
  let copied = 0
  let original = 0
  let plain = 0
  const advance = (to: number): void => {
    for (; plain < to; plain += 1) original += text[original] === '\r' && text[original + 1] === '\n' ? 2 : 1
  }
  for (const start of starts) {
    advance(start)
    result += text.slice(copied, original) + put.replacement
    advance(start + put.length)
    copied = original
  }
  return result + text.slice(copied)
}

const lineOf = (text: string, at: number): number => text.slice(0, at).split('\n').length

function manyMatches(text: string, starts: number[]): string {
  const lines = starts.slice(0, 8).map((at) => lineOf(text, at))
  const more = starts.length > lines.length ? ', …' : ''
  return `old_string matches ${starts.length} times (lines ${lines.join(', ')}${more}): give more of the text around the one you mean, or set replace_all`
}

const MAX_COMPARED_LINES = 5_000

function noMatch(text: string, wanted: string): string {
  const first = wanted.split('\n').find((line) => line.trim() !== '') ?? ''
  let best = { line: 0, text: '', score: 0 }
  const lines = text.split('\n').slice(0, MAX_COMPARED_LINES)
  for (const [index, line] of lines.entries()) {
    const score = similarity(line.trim().slice(0, 200), first.trim().slice(0, 200))
    if (score > best.score) best = { line: index + 1, text: line.slice(0, 300), score }
  }
  const problem = 'old_string is not in the file (0 matches)'
  if (best.score < 0.4) return `${problem}, nor anything like its first line: read the file again`
  if (best.text === first)
    return `${problem}: its first line is there, at line ${best.line}, but what follows differs. Read the file from there`
  const spaces = best.score === 1 ? '; it differs in white space only' : ''
  return `${problem}. The nearest line is ${best.line}${spaces}: ${JSON.stringify(best.text)}`
}
