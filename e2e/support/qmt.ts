import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../packages/cli/bin/qmtcode.js', import.meta.url))
/** Compiled code, shared by all starts of all tests: each machine has a home of its own. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/qmt-e2e', import.meta.url))
const DEADLINE_MS = 90_000 // a busy machine is no failure

/** A machine of a user: its own QMT_HOME and a working directory, gone at the end with all processes started on it. */
export interface Machine extends AsyncDisposable {
  home: string
  workspace: string
  env: Record<string, string>
  writeConfig(toml: string): Promise<void>
  /** Runs a command to its end. */
  run(args: string[], options?: RunOptions): Promise<Finished>
  /** Starts a command that stays. */
  start(args: string[], options?: RunOptions): Running
  /** Its identity, made when there is none; as its first start would, without the time of a process. */
  peerId(): Promise<string>
}

export interface RunOptions {
  stdin?: string
  env?: Record<string, string>
  cwd?: string
  /** Numeric user (and group) to run as; only root can. */
  user?: number
}

export interface Finished {
  code: number
  stdout: string
  stderr: string
}

/** For commands that are to succeed: the same, or an error with what was said. */
export function ok(finished: Finished): Finished {
  assert.equal(finished.code, 0, finished.stderr)
  return finished
}

export interface Running {
  process: ChildProcess
  /** Everything printed so far, both streams. */
  output(): string
  /** Waits for a line of either stream; resolves with the match. */
  line(pattern: RegExp): Promise<RegExpMatchArray>
  ended: Promise<Finished>
  kill(signal?: NodeJS.Signals): Promise<Finished>
}

/** Whether a numeric user can read this clone and its Node. */
export const canRunAs = (user: number): boolean => spawnSync(process.execPath, [BIN, '--version'], { uid: user, gid: user }).status === 0

/** `on`: a host of a network lab that everything of this machine runs on. Default: this machine itself. */
export async function createMachine(
  env: Record<string, string> = {},
  options: { on?: { enter: readonly string[] } } = {},
): Promise<Machine> {
  const { on } = options
  const root = await mkdtemp(join(tmpdir(), 'qmt-e2e-'))
  const home = join(root, 'home')
  const workspace = join(root, 'work')
  await mkdir(home, { mode: 0o700 })
  await mkdir(workspace)
  const baseEnv = {
    PATH: process.env['PATH'] ?? '',
    HOME: root,
    QMT_HOME: home,
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    NODE_COMPILE_CACHE: CACHE,
    ...env,
  }
  const running = new Set<Running>()

  const start = (args: string[], options: RunOptions = {}): Running => {
    const started = launch(args, { cwd: workspace, ...options, env: { ...baseEnv, ...options.env }, enter: on?.enter })
    running.add(started)
    return started
  }
  const machine: Machine = {
    home,
    workspace,
    env: baseEnv,
    writeConfig: (toml) => writeFile(join(home, 'config.toml'), toml),
    start,
    run: async (args, options) => {
      const started = start(args, options)
      const timer = setTimeout(() => started.process.kill('SIGKILL'), DEADLINE_MS)
      const finished = await started.ended
      clearTimeout(timer)
      running.delete(started)
      return finished
    },
    peerId: async () => {
      const { loadPeerId } = await import('@qmtcode/mesh/identity')
      return await loadPeerId(join(home, 'mesh_identity.key'))
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running].map((started) => started.kill('SIGKILL')))
      await rm(root, { recursive: true, force: true, maxRetries: 5 }) // a child of what was killed may still write
    },
  }
  return machine
}

function launch(args: string[], options: Required<Pick<RunOptions, 'env' | 'cwd'>> & RunOptions & { enter?: readonly string[] }): Running {
  const { cwd, env, user, enter = [] } = options
  const [command = '', ...words] = [...enter, process.execPath, BIN, ...args]
  const child = spawn(command, words, { cwd, env, uid: user, gid: user, stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  const heard = (): void => {
    for (const listener of listeners) listener()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    heard()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    heard()
  })
  child.stdin.on('error', () => {}) // the child may end without reading
  child.stdin.end(options.stdin ?? '')
  const ended = once(child, 'close').then(([code, signal]) => {
    heard()
    return { code: (code as number | null) ?? signalCode(signal as NodeJS.Signals), stdout, stderr }
  })
  const output = (): string => `${stdout}\n${stderr}`
  return {
    process: child,
    output,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const done = (settle: () => void): void => {
          clearTimeout(timer)
          listeners.delete(look)
          settle()
        }
        const look = (): void => {
          const match = output().match(pattern)
          if (match) done(() => resolve(match))
          else if (child.exitCode !== null) done(() => reject(new Error(`ended (${child.exitCode}) without ${pattern}:\n${output()}`)))
        }
        const timer = setTimeout(
          () => done(() => reject(new Error(`no line ${pattern} within ${DEADLINE_MS} ms:\n${output()}`))),
          DEADLINE_MS,
        )
        listeners.add(look)
        look()
      }),
    kill: async (signal = 'SIGTERM') => {
      child.kill(signal)
      return await ended
    },
  }
}

const signalCode = (signal: NodeJS.Signals): number => (signal === 'SIGINT' ? 130 : 137)

/** Machine B of the main job: shares `provider` with machine A, which has the role client there. */
export async function startHost(
  host: Machine,
  options: {
    guest: string
    config?: string
    /** Multiaddr. Default: loopback. */ listen?: string
    /** Patterns. Default: all. */ models?: string[]
    /** Further keys of `[mesh.share]`. */ share?: string
    /** Default: gpu-server. */ name?: string
  },
): Promise<{ node: Running; address: string; peerId: string }> {
  await host.writeConfig(`
[mesh]
listen = "${options.listen ?? '/ip4/127.0.0.1/tcp/0'}"
discovery = "none"
node_name = "${options.name ?? 'gpu-server'}"
[mesh.share]
models = ${JSON.stringify(options.models ?? ['*'])}
${options.share ?? ''}
[[mesh.peers]]
name = "laptop"
peer_id = "${options.guest}"
role = "client"
use = false
${options.config ?? ''}`)
  const node = host.start(['--headless', '--mesh'])
  const [, address = '', peerId = ''] = await node.line(/listening: (\S+\/p2p\/(\S+))/)
  return { node, address, peerId }
}
