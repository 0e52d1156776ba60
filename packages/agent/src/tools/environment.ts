import { realpath } from 'node:fs/promises'
import { delimiter, isAbsolute } from 'node:path'
import { isWithin } from './real-path.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What a person's tools need, and no secret by its name: provider keys, tokens, sockets of agents and QMT_* stay here. */
const PASSED = new Set(
  (
    'PATH HOME USER LOGNAME SHELL TERM LANG LANGUAGE TZ TMPDIR TMP TEMP ' +
    'NVM_DIR VIRTUAL_ENV CONDA_PREFIX PYENV_ROOT JAVA_HOME GOPATH GOROOT CARGO_HOME RUSTUP_HOME ' +
    'SystemRoot ComSpec PATHEXT'
  ).split(' '),
)

/** Set for everything that qmtcode starts for a model, and inherited: who has it is not the person. */
export const TOOL_VARIABLE = 'QMTCODE_TOOL'

/** The environment of every process a tool starts. */
export function toolEnvironment(env: Environment): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && (PASSED.has(name) || name.startsWith('LC_'))) passed[name] = value
  }
  // A relative entry would find programs of the workspace.
  if (passed['PATH'] !== undefined) passed['PATH'] = joinPath(passed['PATH'].split(delimiter).filter(isAbsolute))
  // Nobody is there to page, or to type a password.
  return { ...passed, PAGER: 'cat', GIT_PAGER: 'cat', GIT_TERMINAL_PROMPT: '0', [TOOL_VARIABLE]: '1' }
}

/** What npm and its like put before `PATH` for the directory that they were started in, and for those above it. */
const BY_NPM = /[/\\]node_modules[/\\]\.bin[/\\]?$/

/**
 * The same for a command in a workspace: without programs that the workspace brings, and that nobody put in `PATH` by hand, as `npx qmtcode`
 * does. A virtual environment that the person activated stays.
 */
export async function commandEnvironment(env: Environment, root: string): Promise<Record<string, string>> {
  const passed = toolEnvironment(env)
  const entries = passed['PATH']?.split(delimiter) ?? []
  const isBrought = await Promise.all(
    entries.map(async (entry) => {
      const end = entry.search(BY_NPM)
      const owner = end <= 0 ? undefined : await realpath(entry.slice(0, end)).catch(() => undefined)
      return owner !== undefined && (isWithin(root, owner) || isWithin(owner, root))
    }),
  )
  return { ...passed, PATH: joinPath(entries.filter((_, at) => isBrought[at] === false)) }
}

/** A `PATH` of these entries. Never an empty one, which means the directory that a program is in. */
export const joinPath = (entries: readonly string[]): string => entries.join(delimiter) || '/usr/bin:/bin'
