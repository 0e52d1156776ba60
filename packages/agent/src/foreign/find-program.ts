import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import process from 'node:process'
import { AppError } from '@qmtcode/protocol'
import type { Environment } from '../tools/environment.ts'
import type { Reach } from './reach.ts'
import type { ForeignAgent } from './types.ts'

const SUFFIXES = process.platform === 'win32' ? ['.exe', '.com', ''] : ['']

/** The agent's command with an absolute path of its program. Throws bad_config, with what to do. */
export async function findProgram({ id, command }: ForeignAgent, env: Environment, reach: Reach): Promise<string[]> {
  const [program = '', ...args] = command
  const fail = (why: string, hint: string): AppError => new AppError('bad_config', `agent ${id} cannot be started: ${why}`, { hint })
  if (isAbsolute(program)) {
    if (await isExecutable(program)) return [program, ...args]
    throw fail(`there is no command ${program}`, `install it, or correct acp of [[agents]] ${id}; see docs/agents.md`)
  }
  if (/[/\\]/.test(program)) {
    throw fail(`${program} depends on the directory it is started in`, `write its absolute path in acp of [[agents]] ${id}`)
  }
  const directories = await reach.entriesOutside(env['PATH'] ?? '')
  for (const path of directories.flatMap((directory) => SUFFIXES.map((suffix) => join(directory, program + suffix)))) {
    if ((await isExecutable(path)) && !(await reach.holds(path))) return [path, ...args]
  }
  throw fail(
    `there is no command ${program} in PATH, whose entries in workspaces and relative entries do not count`,
    `install it, then start qmtcode again; or correct acp of [[agents]] ${id}; see docs/agents.md`,
  )
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
