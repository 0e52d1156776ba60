import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'

const DEADLINE_MS = 30_000
const LOOK_EVERY_MS = 100

export interface TerminalOptions {
  cwd: string
  env: Record<string, string>
  columns: number
  rows: number
}

/** A shell on a terminal. What it shows is read with its colours. */
export interface Terminal extends Disposable {
  type(line: string): void
  shows(pattern: RegExp): Promise<RegExpMatchArray>
  /** What is on the screen, with colours, without blank lines at the end. */
  lines(): string[]
  clear(): Promise<void>
}

/** Needs tmux, which is the terminal. Each has a server of its own. */
export function openTerminal(name: string, { cwd, env, columns, rows }: TerminalOptions): Terminal {
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', `qmt-picture-${name}`, '-f', '/dev/null', ...args], { encoding: 'utf8' })
  const variables = Object.entries({ ...env, PS1: '$ ' }).map(([key, value]) => `${key}=${value}`)
  const shell = ['env', '-i', ...variables, 'TERM=screen-256color', 'bash', '--norc', '--noprofile']
  tmux('new-session', '-d', '-s', name, '-x', String(columns), '-y', String(rows), '-c', cwd, ...shell)
  tmux('set', '-g', 'status', 'off')
  tmux('resize-window', '-t', name, '-x', String(columns), '-y', String(rows))
  const capture = (...flags: string[]): string[] =>
    tmux('capture-pane', '-p', '-t', name, ...flags)
      .trimEnd()
      .split('\n')
  const terminal: Terminal = {
    type: (line) => {
      tmux('send-keys', '-t', name, '-l', line)
      tmux('send-keys', '-t', name, 'Enter')
    },
    shows: async (pattern) => {
      for (const until = Date.now() + DEADLINE_MS; ; await delay(LOOK_EVERY_MS)) {
        const match = capture('-J').join('\n').match(pattern)
        if (match) return match
        if (Date.now() > until) throw new Error(`${name} never shows ${pattern}:\n${capture().join('\n')}`)
      }
    },
    lines: () => capture('-e').map((line) => line.trimEnd()),
    clear: async () => {
      terminal.type('clear')
      await terminal.shows(/^\$ *$/)
    },
    [Symbol.dispose]: () => {
      tmux('kill-server')
    },
  }
  return terminal
}
