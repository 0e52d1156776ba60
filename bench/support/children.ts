import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { RoleReply, RoleRequest } from './role.ts'

const START_MS = 60_000 // on a busy machine; a quiet one takes 2 s, or 11 for opencode
const CALL_MS = 120_000
const END_MS = 5_000
const KEPT_OUTPUT = 8_000

/** Processes of a bench: every one is ended with it, also when it fails or a person ends it. */
export interface Children {
  /** A file that answers calls by `serveRole`. */
  role(file: URL): Role
  /** Any other Node program. */
  program(args: readonly string[], env: Readonly<Record<string, string>>): Program
  /** A program that is not Node. */
  command(line: readonly [file: string, ...args: string[]], options: { env: Readonly<Record<string, string>>; cwd: string }): Program
  /** Asks all to end; those that do not within 5 s are killed. */
  endAll(): Promise<void>
  /** For an exit handler: cannot wait. */
  killAll(): void
}

export interface Role {
  readonly pid: number
  call<Result>(command: string, input?: unknown): Promise<Result>
  end(): Promise<void>
}

export interface Program {
  readonly pid: number
  /** Waits for a line of either stream. */
  line(pattern: RegExp): Promise<RegExpMatchArray>
  end(): Promise<void>
}

export function createChildren(options: { nodeFlags: readonly string[] }): Children {
  const running = new Set<ChildProcess>()

  const node = (args: readonly string[]): [string, ...string[]] => [process.execPath, ...options.nodeFlags, ...args]
  const start = (
    [file, ...args]: readonly [string, ...string[]],
    init: { env?: Readonly<Record<string, string>>; cwd?: string; ipc: boolean },
  ): ChildProcess => {
    const child = spawn(file, args, {
      env: init.env ?? process.env,
      cwd: init.cwd,
      stdio: init.ipc ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    return child
  }
  return {
    role: (file) => asRole(start(node([fileURLToPath(file)]), { ipc: true })),
    program: (args, env) => asProgram(start(node(args), { env, ipc: false })),
    command: (line, init) => asProgram(start(line, { ...init, ipc: false })),
    endAll: async () => {
      await Promise.all([...running].map(endChild))
    },
    killAll: () => {
      for (const child of running) child.kill('SIGKILL')
    },
  }
}

function asRole(child: ChildProcess): Role {
  const output = keepOutput(child)
  const pending = new Map<number, (reply: RoleReply) => void>()
  let calls = 0
  child.on('message', (reply: RoleReply) => {
    pending.get(reply.id)?.(reply)
    pending.delete(reply.id)
  })
  child.once('exit', (code, signal) => {
    for (const [id, settle] of pending) settle({ id, error: `ended (${code ?? signal}): ${output()}` })
    pending.clear()
  })
  return {
    pid: child.pid ?? 0,
    call: async <Result>(command: string, input?: unknown) => {
      calls += 1
      const request: RoleRequest = { id: calls, command, input }
      const reply = await withDeadline(
        new Promise<RoleReply>((resolve) => {
          pending.set(request.id, resolve)
          child.send(request, (error) => {
            if (error) resolve({ id: request.id, error: error.message })
          })
        }),
        { ms: CALL_MS, what: `${command} of ${child.spawnargs.at(-1)}` },
      )
      if (reply.error !== undefined) throw new Error(`${child.spawnargs.at(-1)}: ${command}: ${reply.error}`)
      return reply.result as Result
    },
    end: () => endChild(child),
  }
}

function asProgram(child: ChildProcess): Program {
  const output = keepOutput(child)
  return {
    pid: child.pid ?? 0,
    line: async (pattern) => {
      const match = new Promise<RegExpMatchArray>((resolve, reject) => {
        const look = (): void => {
          const found = output().match(pattern)
          if (found) resolve(found)
          else if (child.exitCode !== null) reject(new Error(`ended (${child.exitCode}) without ${pattern}: ${output()}`))
        }
        for (const stream of [child.stdout, child.stderr]) stream?.on('data', look)
        child.once('close', look)
        look()
      })
      return await withDeadline(match, { ms: START_MS, what: `the line ${pattern}; so far: ${output()}` })
    },
    end: () => endChild(child),
  }
}

/** Reads both streams, so that the child never blocks on them; the last 8 kB are kept for an error. */
function keepOutput(child: ChildProcess): () => string {
  let kept = ''
  const read = (stream: Readable | null): void => {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      kept = (kept + text).slice(-KEPT_OUTPUT)
    })
  }
  read(child.stdout)
  read(child.stderr)
  return () => kept.trim()
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  else child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS)
  await exited
  clearTimeout(timer)
}

async function withDeadline<Value>(promise: Promise<Value>, limit: { ms: number; what: string }): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit.ms} ms: ${limit.what}`)), limit.ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
