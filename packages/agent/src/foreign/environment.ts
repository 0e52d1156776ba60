import { joinPath, TOOL_VARIABLE } from '../tools/environment.ts'
import type { Environment } from '../tools/environment.ts'
import type { Reach } from './reach.ts'

/** Where a shell or a package manager was: each is a directory that the process before worked in. */
const PLACES = new Set(['PWD', 'OLDPWD', 'INIT_CWD', 'PROJECT_CWD'])

/**
 * What a foreign agent is started with: the environment of whoever runs qmtcode, provider keys included, since it has its own models to pay
 * and that person wrote its command. What is qmtcode's own is left out, and all that leads into a workspace: npm hands on the
 * configuration of the directory in which it ran (`npm_*`), other variables name files there (`NODE_OPTIONS`, `NODE_PATH`, `BASH_ENV`).
 */
export async function foreignEnvironment(env: Environment, directory: string, reach: Reach): Promise<Record<string, string>> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || /^(?:QMT_|npm_)/i.test(name) || PLACES.has(name)) continue
    if (name.toUpperCase() === 'PATH') passed[name] = joinPath(await reach.entriesOutside(value))
    else if (!(await reach.names(value))) passed[name] = value
  }
  return { ...passed, PWD: directory, [TOOL_VARIABLE]: '1' }
}
