import { couldMatch, textMatches } from './glob.ts'
import { runsMore } from './runs-more.ts'
import { readScript, UNKNOWN } from './shell-script.ts'
import type { SimpleCommand } from './shell-script.ts'
import { programOf, startedCommands } from './started-commands.ts'

/**
 * The words of a command that a pattern which allows stands for, or undefined. They are run as they are, without a shell, so what another
 * reader would make of the command does not matter. Word by word: `*` is any part of one word, at the end of the pattern also any further words.
 */
export function allowedWords(pattern: string, command: string): readonly string[] | undefined {
  const words = readScript(command).plain
  const wanted = patternWords(pattern)
  const last = wanted.length - 1
  if (!words || last < 0) return undefined
  const isOpen = wanted[last]?.endsWith('*') === true
  if (words.length > wanted.length && !isOpen) return undefined
  const stands = wanted.every((one, at) => {
    const word = words[at]
    if (word === undefined) return isOpen && at === last && one === '*'
    return one === word || (textMatches(one, word) && !runsMore(words, at))
  })
  const rest = words.slice(wanted.length)
  return stands && rest.every((_, at) => !runsMore(words, wanted.length + at)) ? words : undefined
}

/** Quotes hold a word together. */
const patternWords = (pattern: string): string[] =>
  Array.from(pattern.matchAll(/(?:[^\s'"]|"[^"]*"|'[^']*')+/g), ([word]) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'))

/** `maybe`: only the shell will know. */
export type CommandMatch = 'yes' | 'maybe' | 'no'

/** Whether a pattern that restricts speaks of a command, of a part of it, or of what it starts. */
export function restrictsCommand(pattern: string, command: string): CommandMatch {
  const whole = command.trim()
  if ([whole, ...whole.split(/&&|\|\||[;&|\n()`]/)].some((text) => textMatches(pattern, text.trim()))) return 'yes'
  const { commands, isClear } = startedCommands(readScript(whole))
  const texts = commands.flatMap(spellings)
  const wanted = pattern.toLowerCase()
  if (texts.some((text) => textMatches(wanted, text) || textMatches(wanted, `${text} `))) return 'yes'
  return isClear && !texts.some((text) => text.includes(UNKNOWN) && couldMatch(wanted, text, UNKNOWN)) ? 'no' : 'maybe'
}

const MAX_TEXT_CHARS = 500
const MAX_OPTIONS = 20

/** A command as one text, in lower case for file systems that know no other: with its program by path and by name, and without options before the first operand. */
function spellings({ words }: SimpleCommand): string[] {
  const [program = '', ...rest] = words
  const tails = [rest]
  for (let at = 0; rest[at]?.startsWith('-') === true && at < MAX_OPTIONS; at += rest[at + 1]?.startsWith('-') === true ? 1 : 2) {
    tails.push(rest.slice(at + 1), rest.slice(at + 2))
  }
  return [program, programOf(words)].flatMap((name) =>
    tails.map((tail) => {
      const text = [name, ...tail.slice(0, MAX_TEXT_CHARS)].join(' ').toLowerCase()
      return text.length > MAX_TEXT_CHARS ? text.slice(0, MAX_TEXT_CHARS) + UNKNOWN : text
    }),
  )
}
