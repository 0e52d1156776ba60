import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { Environment } from './environment.ts'

export interface PathBase {
  /** What `~` stands for. */
  userHome: string
  /** What a relative path is relative to. */
  directory: string
}

/** `~` alone or before `/` is the user's home; `~other` is a name like any. */
export function expandPath(text: string, { userHome, directory }: PathBase): string {
  if (text === '~') return userHome
  if (text.startsWith('~/')) return join(userHome, text.slice(2))
  return isAbsolute(text) ? text : resolve(directory, text)
}

/** `$HOME`, as shells read `~`; else what the system knows. */
export const userHomeOf = (env: Environment): string => env['HOME'] || homedir()

/** `$QMT_HOME`, else `~/.qmt`. */
export function qmtHomeOf(env: Environment, cwd: string): string {
  return expandPath(env['QMT_HOME'] || '~/.qmt', { userHome: userHomeOf(env), directory: cwd })
}
