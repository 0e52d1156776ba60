import { readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import type { Config } from './config.ts'
import { configError } from './diagnostics.ts'
import type { Diagnostic } from './diagnostics.ts'
import type { Environment } from './environment.ts'
import { readConfig } from './read.ts'
import { expandPath, userHomeOf } from './file-paths.ts'
import { toConfig } from './to-config.ts'

export interface LoadComponents {
  /** File of the command line, relative to `cwd`; it must be there. */
  argvFile?: string
  /** QMT_HOME; its `config.toml` is read where no file is named. */
  home: string
  env: Environment
  cwd: string
}

export interface LoadOptions {
  /** Default: the system's. */
  hostname?: string
}

export interface LoadedConfig {
  config: Config
  /** Warnings and what is not built yet, in the order of the file; for stderr, one line each. */
  notices: Diagnostic[]
  /** Absolute; absent: defaults. */
  file?: string
}

/** Throws one bad_config that tells every error of the file. */
export async function loadConfig(components: LoadComponents, options: LoadOptions = {}): Promise<LoadedConfig> {
  const { home, env } = components
  const found = await locate(components)
  const { value, diagnostics } = readConfig(found?.text ?? '', { file: found?.shown ?? '', env })
  const error = configError(diagnostics)
  if (error || !value) throw error ?? new AppError('internal', `configuration ${found?.file} was neither read nor refused`)
  const around = { file: found?.file, home, userHome: userHomeOf(env), hostname: options.hostname ?? hostname() }
  return { config: toConfig(value, around), notices: [...(await exposedKey(found)), ...diagnostics], file: found?.file }
}

/** For `qmtcode config check`: never throws for what the file says. */
export async function checkConfig(components: LoadComponents): Promise<{ file?: string; diagnostics: Diagnostic[] }> {
  const found = await locate(components)
  if (!found) return { diagnostics: [] }
  const { diagnostics } = readConfig(found.text, { file: found.shown, env: components.env })
  return { file: found.file, diagnostics: [...(await exposedKey(found)), ...diagnostics] }
}

interface Found {
  file: string
  /** As the user would name it. */
  shown: string
  text: string
}

async function locate({ argvFile, home, env, cwd }: LoadComponents): Promise<Found | undefined> {
  const named = argvFile === undefined ? undefined : expandPath(argvFile, { userHome: userHomeOf(env), directory: cwd })
  const file = named ?? join(home, 'config.toml')
  const below = relative(cwd, file)
  const shown = argvFile ?? (below.startsWith('..') ? file : below)
  try {
    return { file: resolve(cwd, file), shown, text: await readFile(file, 'utf8') }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    if (named === undefined && code === 'ENOENT') return undefined
    if (named === undefined && code === 'ENOTDIR') {
      throw new AppError('bad_config', `QMT_HOME ${home} is no directory`, {
        cause,
        hint: 'set QMT_HOME to a directory that you can write',
      })
    }
    throw new AppError('bad_config', `cannot read the configuration ${shown}: ${REASONS[code] ?? String(cause)}`, { cause })
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is no directory',
}

const OTHERS = 0o077
const LITERAL_KEY = /^\s*api_key\s*=\s*(["'])(?!\$\{)(?!\1)/m

/** A key in the file itself, and the file open to others. */
async function exposedKey(found: Found | undefined): Promise<Diagnostic[]> {
  if (!found || process.platform === 'win32' || !LITERAL_KEY.test(found.text)) return []
  const { mode } = await stat(found.file)
  if ((mode & OTHERS) === 0) return []
  return [
    {
      severity: 'warning',
      file: found.shown,
      path: '',
      message: `holds an api_key and others may read it: chmod 600 ${found.shown}, or \${VAR}`,
    },
  ]
}
