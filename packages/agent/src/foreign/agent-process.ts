import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'
import { redact } from '../models/redact.ts'
import { endGroup } from '../tools/process-group.ts'
import { codeOf } from '../tools/workspace.ts'
import type { Launch } from './launch.ts'
import type { ForeignAgent } from './types.ts'

/** Well-behaved agents end with their stdin: they get this long before a signal. */
const STDIN_GRACE_MS = 500
const TERM_GRACE_MS = 2_000
const LAST_WORDS_MS = 200 // its stderr may arrive after its exit
const STDERR_CHARS = 4_000

/** A foreign agent's process, the leader of a group of its own. Its stdin ends with this one, however this one ends. */
export interface AgentProcess {
  stdout: Readable
  stdin: Writable
  /** Resolves when it has ended or could not be started, with the error for whoever waits for it. */
  ended: Promise<AppError>
  /** Ends it and what it left in its group. Safe to call twice. */
  stop(): Promise<void>
}

export function startAgentProcess({ agent, launch, log }: { agent: ForeignAgent; launch: Launch; log: Logger }): AgentProcess {
  const { command, cwd, env } = launch
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARS)
  })
  child.stdin.on('error', () => {}) // it may end without reading
  const { promise: ended, resolve } = Promise.withResolvers<AppError>()
  child.on('error', (error) => resolve(notStarted(agent, error)))
  // Its pipes may be held by what it started: its own exit counts.
  let isTold = false
  const tell = (code: number | null, signal: NodeJS.Signals | null): void => {
    if (isTold) return
    isTold = true
    const last = stderr.trimEnd().split('\n').at(-1) ?? ''
    log.warn('a foreign agent ended', { agent: agent.id, code, signal, stderr: redact(stderr) })
    const how = signal === null ? `exit code ${code}` : signal
    resolve(
      new AppError('provider_error', `agent ${agent.id} ended in the middle (${how})${last === '' ? '' : `: ${redact(last)}`}`, {
        hint: 'the next prompt starts it again; its errors are in: qmtcode logs',
      }),
    )
  }
  child.on('exit', (code, signal) => {
    const timer = setTimeout(() => tell(code, signal), LAST_WORDS_MS)
    child.on('close', () => {
      clearTimeout(timer)
      tell(code, signal)
    })
  })
  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await Promise.race([ended, delay(STDIN_GRACE_MS)])
    if (child.pid !== undefined) await endGroup(child.pid, TERM_GRACE_MS)
    child.stdout.destroy()
    child.stderr.destroy()
    child.stdin.destroy()
  }
  return { stdout: child.stdout, stdin: child.stdin, ended, stop: () => (stopping ??= stop()) }
}

function notStarted({ id, command }: ForeignAgent, cause: Error): AppError {
  const missing = codeOf(cause) === 'ENOENT'
  const why = missing ? `there is no command ${command[0]}` : cause.message
  return new AppError('bad_config', `agent ${id} cannot be started: ${why}`, {
    cause,
    hint: `install it, or correct acp of [[agents]] ${id}; see docs/agents.md`,
  })
}
