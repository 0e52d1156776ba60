import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Machine } from './qmt.ts'
import { createScreen } from './screen.ts'

const BIN = fileURLToPath(new URL('../../packages/cli/bin/qmtcode.js', import.meta.url))
const DEADLINE_MS = 30_000

/** Why there is no terminal here; undefined where there is one. `script` of util-linux is on every Debian. */
export const noTerminal: string | undefined = spawnSync('script', ['--version']).stdout?.includes('util-linux')
  ? undefined
  : 'needs script of util-linux'

/** A qmtcode on a terminal, at which a test sits. */
export interface Terminal extends AsyncDisposable {
  /** Types, as keys come; what `shows` looks at begins with the line that is typed on. */
  type(keys: string): void
  /** Waits until the screen, from the last typed line on, matches. */
  shows(pattern: RegExp): Promise<void>
  /** Sends a signal to qmtcode. */
  signal(name: NodeJS.Signals): void
  /** The window is closed: the terminal hangs up on qmtcode. */
  close(): void
  /** The exit code. */
  ended(): Promise<number>
}

export function openTerminal(machine: Machine, args: readonly string[], size = { columns: 100, rows: 30 }): Terminal {
  const command = [process.execPath, BIN, ...args].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
  // The pseudo terminal has no size of its own here, since no terminal stands around it.
  const line = `stty cols ${size.columns} rows ${size.rows}; exec ${command}`
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    cwd: machine.workspace,
    env: { ...machine.env, TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const screen = createScreen(size.columns)
  let mark = 0
  const listeners = new Set<() => void>()
  const heard = (): void => {
    for (const listener of listeners) listener()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen.write(text)
    heard()
  })
  child.stdin.on('error', () => {}) // it may end while a key is typed
  let exitCode: number | undefined // known when all output is there
  const closed = once(child, 'close').then(([code]) => {
    exitCode = (code as number | null) ?? -1
    heard()
  })

  /** Resolves when `isDone`; fails where that cannot be any more, or not in time. */
  const until = (isDone: () => boolean, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        listeners.delete(look)
        finish()
      }
      const fail = (why: string): void => settle(() => reject(new Error(`${why}: ${what}; on the terminal:\n${screen.text(mark)}`)))
      const look = (): void => {
        if (isDone()) settle(resolve)
        else if (exitCode !== undefined) fail(`ended with ${exitCode}`)
      }
      const timer = setTimeout(() => fail(`not within ${DEADLINE_MS} ms`), DEADLINE_MS)
      listeners.add(look)
      look()
    })
  return {
    type: (keys) => {
      mark = screen.row()
      child.stdin.write(keys)
    },
    shows: (pattern) => until(() => pattern.test(screen.text(mark)), String(pattern)),
    signal: (name) => process.kill(childOf(child.pid), name),
    close: () => child.kill('SIGKILL'),
    ended: async () => {
      await until(() => exitCode !== undefined, 'its end')
      return exitCode ?? -1
    },
    [Symbol.asyncDispose]: async () => {
      if (exitCode === undefined) child.kill('SIGKILL') // its terminal hangs up on qmtcode
      await closed
    },
  }
}

/** `exec` makes qmtcode the one child of `script`. */
function childOf(pid: number | undefined): number {
  const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  return Number(first)
}
