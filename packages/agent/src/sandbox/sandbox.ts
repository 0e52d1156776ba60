import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import type { Environment } from '../tools/environment.ts'
import { toolEnvironment } from '../tools/environment.ts'
import { bubblewrapArgs } from './bubblewrap.ts'
import { planFor } from './plan.ts'
import type { CommandLine, ConfinedPlace, Confinement, Sandbox, SandboxMode } from './types.ts'

export interface SandboxOptions {
  /** Default: `auto`. */
  mode?: SandboxMode
  /** QMT_HOME, keys, the configuration, the directory of the local socket: commands see none of them. */
  closed: readonly string[]
  /** Directories that commands may read though they lie in the home. */
  readable?: readonly string[]
  /** Directories that commands may write beside the workspace. */
  writable?: readonly string[]
}

/** Not by PATH: a directory of a workspace may stand first in it. */
const BUBBLEWRAP = ['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap', '/run/current-system/sw/bin/bwrap']
const PROBE_TIMEOUT_MS = 5_000

/** The sandbox of this machine, if it has one that works: bubblewrap on Linux. */
export function createSandbox({ env }: { env: Environment }, options: SandboxOptions): Sandbox {
  const { mode = 'auto', closed, readable = [], writable = [] } = options
  const none = (why: string): Confinement => ({ kind: 'none', why, isRequired: mode === 'required' })
  const working = new Set<string>()
  const homes = [env['HOME'] ?? '/', ...accountHome()]
  const planOptions = { env, homes, temporary: tmpdir(), closed, readable, writable }
  return {
    confine: async (place) => {
      if (mode === 'off') return none('[permissions] sandbox = "off"')
      const program = BUBBLEWRAP.find((path) => existsSync(path))
      if (process.platform !== 'linux') return none('qmtcode has a sandbox for Linux only')
      if (program === undefined) return none('bubblewrap is not installed')
      const plan = await planFor(place, planOptions)
      if (typeof plan === 'string') return none(plan)
      const args = bubblewrapArgs(plan)
      const wrap = (command: CommandLine): CommandLine => ({
        file: program,
        args: [...args, command.file, ...command.args],
        env: { ...command.env, TMPDIR: '/tmp', TMP: '/tmp', TEMP: '/tmp' },
      })
      const key = keyOf(place)
      const failure = working.has(key)
        ? undefined
        : await failureOf(wrap({ file: '/bin/sh', args: ['-c', ':'], env: toolEnvironment(env) }))
      if (failure !== undefined) return none(`bubblewrap does not work here (${failure})`)
      working.add(key)
      return { kind: 'sandbox', wrap, network: plan.network }
    },
  }
}

const keyOf = ({ root, forGuest }: ConfinedPlace): string => JSON.stringify([root, forGuest])

/** A program that is installed may still be forbidden: user namespaces, or mounts in a container. */
function failureOf({ file, args, env }: CommandLine): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, [...args], { env, timeout: PROBE_TIMEOUT_MS, encoding: 'utf8' }, (error, _, stderr) => {
      const [line = ''] = stderr.trim().split('\n')
      resolve(error ? line.replace(/^bwrap: /, '').slice(0, 200) || error.message.slice(0, 200) : undefined)
    })
  })
}

/** None for a user id without an account, as in containers. */
function accountHome(): string[] {
  try {
    return [userInfo().homedir]
  } catch {
    return []
  }
}
