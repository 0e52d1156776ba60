import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import type { Environment } from '../tools/environment.ts'
import { foreignEnvironment } from './environment.ts'
import { findProgram } from './find-program.ts'
import { filesOf, reachOf } from './reach.ts'
import type { ForeignAgent } from './types.ts'

/** How a foreign agent's process is started. */
export interface Launch {
  command: readonly string[]
  cwd: string
  env: Readonly<Record<string, string>>
}

/** Decides how agents are started, so that no file of a workspace has a part in it. */
export interface Launches {
  /** For a session in `workspace`. Throws bad_config where its program is missing or lies in a workspace. */
  of(agent: ForeignAgent, workspace: string): Promise<Launch>
}

export interface LaunchesComponents {
  agents: readonly ForeignAgent[]
  env: Environment
}

export interface LaunchesOptions {
  /** Ours; each agent has a directory of its own below it. */
  directory: string
  /** Where sessions write, as far as it is known before they are. */
  workspaces: readonly string[]
  /** Of the user who runs this. */
  home: string
}

/** Looks for every program at once: what stands in `PATH` later has no say. */
export function createLaunches({ agents, env }: LaunchesComponents, { directory, workspaces, home }: LaunchesOptions): Launches {
  const known = reachOf(workspaces, home)
  const programs = new Map(agents.map((agent) => [agent.id, known.then((reach) => findProgram(agent, env, reach))]))
  for (const program of programs.values()) program.catch(() => {}) // told to who starts it
  return {
    of: async (agent, workspace) => {
      const command = (await programs.get(agent.id)) ?? []
      const reach = await reachOf([...workspaces, workspace], home)
      const files = await filesOf(command)
      const inside = await Promise.all(files.map(reach.holds))
      const file = files.find((_, at) => inside[at])
      if (file !== undefined) throw inWorkspace(agent, file)
      const cwd = join(directory, agent.id)
      await prepare(cwd)
      return { command, cwd, env: await foreignEnvironment(env, cwd, reach) }
    },
  }
}

const inWorkspace = ({ id }: ForeignAgent, file: string): AppError =>
  new AppError('bad_config', `agent ${id} is not started: ${file} lies in a workspace, where a session could change it`, {
    hint: `install it outside of workspaces, and correct acp of [[agents]] ${id}; see docs/agents.md`,
  })

/** A package of its own: package managers look for their configuration here, and no further up. */
async function prepare(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(join(directory, 'package.json'), '{ "private": true }\n', { mode: 0o600 })
}
