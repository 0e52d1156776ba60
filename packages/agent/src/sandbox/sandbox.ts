import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir, tmpdir, userInfo } from 'node:os'
import { AppError } from '@qmtcode/protocol'
import type { Environment } from '../tools/environment.ts'
import { toolEnvironment } from '../tools/environment.ts'
import { bubblewrap } from './bubblewrap.ts'
import { holdBackNew } from './hold-back.ts'
import { createOneAtATime } from './one-at-a-time.ts'
import type { FoundObeyed } from './obeyed-scan.ts'
import { planFor, shows } from './plan.ts'
import { seatbelt } from './seatbelt.ts'
import type { CommandLine, ConfinedCommand, ConfinedPlace, Confinement, Sandbox, SandboxMode, SandboxProgram } from './types.ts'

export interface SandboxOptions {
  /** Default: `auto`. */
  mode?: SandboxMode
  /** QMT_HOME, keys, the configuration, the directory of the local socket: commands see none of them. */
  closed: readonly string[]
  /** Files and directories that commands may read though they lie in the home. */
  readable?: readonly string[]
  /** Directories that commands may write beside the workspace. */
  writable?: readonly string[]
}

interface PlannedCommand extends CommandLine {
  obeyed: readonly FoundObeyed[]
}

const PROGRAMS: Partial<Record<NodeJS.Platform, SandboxProgram>> = { linux: bubblewrap, darwin: seatbelt }
const PROBE_TIMEOUT_MS = 5_000

/** The sandbox of this machine, if it has one that works: bubblewrap on Linux, sandbox-exec on macOS. */
export function createSandbox({ env }: { env: Environment }, options: SandboxOptions): Sandbox {
  const { mode = 'auto', closed, readable = [], writable = [] } = options
  const none = (why: string): Confinement => ({ kind: 'none', why, isRequired: mode === 'required' })
  const working = new Set<string>()
  const guests = createOneAtATime()
  const planOptions = { env, homes: homesOf(env), temporary: tmpdir(), closed, readable, writable }
  return {
    confine: async (place) => {
      if (mode === 'off') return none('[permissions] sandbox = "off"')
      const program = PROGRAMS[process.platform]
      if (!program) return none('qmtcode has a sandbox for Linux and macOS only')
      const path = program.paths.find((candidate) => existsSync(candidate))
      if (path === undefined) return none(`${program.name} is not installed`)
      if (place.forGuest && !program.holdsGuests) return none(`${program.name} does not hold commands of peers`)
      const wrap = async (command: CommandLine): Promise<PlannedCommand> => {
        const plan = await planFor(place, planOptions) // for each command: what is there now counts
        if (typeof plan === 'string') throw new AppError('forbidden', `not run: ${plan}, so the sandbox does not hold it`)
        return { ...(await program.wrap(path, plan, command)), obeyed: plan.obeyed }
      }
      const wrapForGuest = async (command: CommandLine, signal?: AbortSignal): Promise<ConfinedCommand> => {
        const leave = await guests.enter(place.root, signal)
        try {
          const { obeyed, ...wrapped } = await wrap(command)
          const options = { before: obeyed, home: env['HOME'], path: env['PATH'] }
          return { ...wrapped, settle: async () => await holdBackNew(place.root, options).finally(leave) }
        } catch (error) {
          leave()
          throw error
        }
      }
      const plan = await planFor(place, planOptions)
      if (typeof plan === 'string') return none(plan)
      const key = keyOf(place)
      const failure = working.has(key) ? undefined : await failureOf(await wrap(probe(plan.closedDirectories, toolEnvironment(env))))
      if (failure !== undefined) return none(`${program.name} does not work here (${failure})`)
      working.add(key)
      return { kind: 'sandbox', wrap: place.forGuest ? wrapForGuest : wrap, network: plan.network, shows: (path) => shows(plan, path) }
    },
  }
}

/** By the environment, and by the system, which knows no account in some containers. */
function homesOf(env: Environment): string[] {
  const homes = [env['HOME'] ?? '/']
  try {
    homes.push(homedir(), userInfo().homedir)
  } catch {
    // The environment is all there is.
  }
  return homes
}

const keyOf = ({ root, forGuest }: ConfinedPlace): string => JSON.stringify([root, forGuest])

/** It must start a shell, which must not be able to write what is closed. */
const probe = (closed: readonly string[], env: CommandLine['env']): CommandLine => ({
  file: '/bin/sh',
  args: ['-c', 'for path; do if test -w "$path"; then echo "it lets commands write $path" >&2; exit 1; fi; done', 'sh', ...closed],
  env,
})

/** A program that is installed may still be forbidden: user namespaces, or mounts in a container. */
function failureOf({ file, args, env }: CommandLine): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, [...args], { env, timeout: PROBE_TIMEOUT_MS, encoding: 'utf8' }, (error, _, stderr) => {
      const [line = ''] = stderr.trim().split('\n')
      resolve(error ? line.replace(/^(?:bwrap|sandbox-exec): /, '').slice(0, 200) || error.message.slice(0, 200) : undefined)
    })
  })
}
