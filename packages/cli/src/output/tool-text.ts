import type { Json } from '@qmtcode/protocol'
import { printableLine } from './printable.ts'

const SHOWN_CHARS = 80
// What a person knows a call by, best first.
const TELLING_KEYS = ['command', 'pattern', 'query', 'path', 'file', 'url', 'prompt', 'question']

/** A tool's input in a few words: its command, its path; else its JSON. */
export function shortInput(input: Json): string {
  if (typeof input === 'string') return printableLine(input, SHOWN_CHARS)
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return printableLine(JSON.stringify(input), SHOWN_CHARS)
  const telling = TELLING_KEYS.map((key) => input[key]).filter((value): value is string => typeof value === 'string' && value !== '')
  if (telling.length > 0) return printableLine(telling.slice(0, 2).join(' in '), SHOWN_CHARS)
  return Object.keys(input).length === 0 ? '' : printableLine(JSON.stringify(input), SHOWN_CHARS)
}

/** The line of a tool's output that tells why it failed: the first that says something. */
export function failureLine(output: string): string {
  const line = output
    .slice(0, 4_000)
    .split('\n')
    .find((candidate) => candidate.trim() !== '')
  return printableLine(line ?? 'no output', 160)
}

// For a host that does not say: reading inside the workspace needs nobody, so what is asked for is to read outside of it.
const PERMISSION_OF_TOOL: Record<string, string> = {
  read_file: 'outside',
  list_files: 'outside',
  search_text: 'outside',
  write_file: 'edit',
}

/** The words of `--allow` that would have made a question unnecessary. */
export const needsOf = ({ tool, needs }: { tool: string; needs?: string[] }): string[] => needs ?? [PERMISSION_OF_TOOL[tool] ?? tool]

/** `--allow` with these words, as one would type it; the words come from the session's host. */
export const allowFlag = (needs: Iterable<string>): string => `--allow ${printableLine([...new Set(needs)].join(','), 120)}`
