import type { Action } from './request.ts'
import type { ToolOutcome } from './steps.ts'

const WHAT_IT_IS = 'I am builtin/demo: a small rule-based program, no LLM.'
const SHOWN_NAMES = 8
const SHOWN_LINES = 3
const SHOWN_CHARS = 160

const HELP = `${WHAT_IT_IS} I only understand plain requests, for example: "list the files", "read README.md", "search for TODO", "run node --version", "create notes.txt with hello", "ask me which colour: red or blue", or several of them in one sentence.`

/** Said before a call. */
export function announce(action: Action, step: { at: number; of: number }): string {
  const opening = step.at === 0 ? `${WHAT_IT_IS} ` : ''
  const place = step.of > 1 ? `Step ${step.at + 1} of ${step.of}: ` : ''
  const text = `${place}${doing(action)}`
  return `${opening}${text.charAt(0).toUpperCase()}${text.slice(1)}${/[?!.]$/.test(text) ? '' : '.'}`
}

function doing(action: Action): string {
  switch (action.kind) {
    case 'list':
      return `listing the files${action.path ? ` in ${action.path}` : ''}`
    case 'read':
      return `reading ${action.path}`
    case 'search':
      return `searching for ${action.pattern}${action.path ? ` in ${action.path}` : ''}`
    case 'run':
      return `running \`${action.command}\``
    case 'write':
      return `writing ${action.path}`
    case 'ask':
      return `asking you: ${action.question}`
  }
}

export interface Summary {
  done: { action: Action; outcome: ToolOutcome }[]
  /** Asked for, but the tool was not offered. */
  missing: { action: Action; tool: string }[]
  unknown: readonly string[]
}

/** The last answer: what was found, from the tools' results alone. */
export function summarise({ done, missing, unknown }: Summary): string {
  if (done.length === 0 && missing.length === 0) return HELP
  const lines = [
    ...done.map(({ action, outcome }) => `- ${found(action, outcome)}`),
    ...missing.map(({ action, tool }) => `- not done: ${doing(action)} needs the tool ${tool}, which I was not offered`),
    ...unknown.map((piece) => `- not understood: "${clip(piece)}"`),
  ]
  return `${WHAT_IT_IS} This is what came out:\n${lines.join('\n')}`
}

function found(action: Action, { text, isError }: ToolOutcome): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (isError && action.kind !== 'run') return `${doing(action)} failed: ${clip(lines[0] ?? 'no reason given')}`
  switch (action.kind) {
    case 'list':
      if (lines.length === 0 || text.trim() === 'no files') return `no files${action.path ? ` in ${action.path}` : ''}`
      return `${count(lines.length, 'file')}${action.path ? ` in ${action.path}` : ''}: ${some(lines, SHOWN_NAMES)}`
    case 'read': {
      const body = lines.map((line) => line.replace(/^\s*\d+\t/, '')).filter((line) => line.trim() !== '')
      return `${action.path} begins with: ${clip(body[0] ?? '(nothing)')}`
    }
    case 'search':
      return /^no matches/i.test(lines[0] ?? 'no matches')
        ? `no match for ${action.pattern}`
        : `${count(lines.length, 'match', 'matches')} for ${action.pattern}, first: ${clip(lines[0] ?? '')}`
    case 'run':
      return `\`${clip(action.command)}\` ${isError ? 'failed' : 'ran'}; it ended with: ${lines.slice(-SHOWN_LINES).map(clip).join(' / ') || '(no output)'}`
    case 'write':
      return `${action.path}: ${clip(lines[0] ?? 'written')}`
    case 'ask':
      return `"${clip(action.question)}" — ${clip(lines.map((line) => line.replace(/^> /, '')).join(' '))}`
  }
}

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`

function some(names: readonly string[], limit: number): string {
  const shown = names.slice(0, limit).map(clip).join(', ')
  return names.length > limit ? `${shown}, and ${names.length - limit} more` : shown
}

function clip(text: string): string {
  const line = text.trim()
  return line.length > SHOWN_CHARS ? `${line.slice(0, SHOWN_CHARS - 1)}…` : line
}
