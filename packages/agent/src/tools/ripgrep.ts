import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { AppError, isAppError } from '@qmtcode/protocol'
import type { Environment } from './environment.ts'
import { toolEnvironment } from './environment.ts'

const TIMEOUT_MS = 60_000
const MAX_STDERR_CHARS = 2_000

export interface RipgrepRun {
  args: string[]
  cwd: string
  env: Environment
  signal: AbortSignal
  /** Each line of output. False: enough. */
  onLine(line: string): boolean
}

/** Runs rg to its end, or until it has enough. Returns what it complained of. Throws bad_request (a bad pattern), timeout, cancelled, unsupported. */
export async function runRipgrep(run: RipgrepRun): Promise<string> {
  const program = await ripgrepPath()
  const child = spawn(program, ['--no-config', ...run.args], {
    cwd: run.cwd,
    env: toolEnvironment(run.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaints = ''
  let stopped: AppError | 'enough' | undefined
  const stop = (why: AppError | 'enough'): void => {
    stopped ??= why
    child.kill('SIGKILL')
  }
  const onAbort = (): void => stop(new AppError('cancelled', 'the turn was cancelled'))
  const timer = setTimeout(
    () => stop(new AppError('timeout', `the search took longer than ${TIMEOUT_MS / 1_000} s: narrow it`)),
    TIMEOUT_MS,
  )
  run.signal.addEventListener('abort', onAbort, { once: true })
  if (run.signal.aborted) onAbort()
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (complaints.length < MAX_STDERR_CHARS) complaints += text
  })
  createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', (line) => {
    if (stopped === undefined && !run.onLine(line)) stop('enough')
  })
  try {
    const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
    if (isAppError(stopped)) throw stopped
    if (stopped === undefined && code !== 0 && code !== 1 && complaints !== '') return complaints.slice(0, MAX_STDERR_CHARS)
    return ''
  } finally {
    clearTimeout(timer)
    run.signal.removeEventListener('abort', onAbort)
  }
}

/** Loaded when first needed: a machine without a binary loses the search, not the agent. */
async function ripgrepPath(): Promise<string> {
  try {
    return (await import('@vscode/ripgrep')).rgPath
  } catch (cause) {
    throw new AppError('unsupported', `no ripgrep for ${process.platform}-${process.arch}`, { cause, hint: 'use shell with grep and find' })
  }
}
