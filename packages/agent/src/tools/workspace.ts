import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import type { Obeyed } from '../permissions/obeyed-files.ts'
import { createObeyedPlaces } from '../permissions/obeyed-places.ts'
import type { Confinement, ConfinedPlace } from '../sandbox/types.ts'
import { followAll, isWithin } from './real-path.ts'

/**
 * Where a real path lies. `private`: qmtcode's own files and the memory of processes, closed to tools always.
 * `output`: whole outputs of this session's tools, open for reading.
 */
type Place = 'workspace' | 'outside' | 'output' | 'private'

export interface ResolvedPath {
  /** As it was written. */
  given: string
  /** Absolute and free of symlinks: what is decided on, and what is opened. */
  real: string
  /** Relative within the workspace, else absolute. */
  shown: string
  place: Place
  /** Who runs or obeys what is written there, where the name alone does not say it. */
  obeyed?: Obeyed
}

/** The files of one session: names become real paths here, and nowhere else. */
export interface Workspace {
  /** Real path. */
  readonly root: string
  /** Of this session's tools; made when it is first written to. */
  readonly outputDir: string
  /** What holds commands that run here. */
  readonly confinement: Confinement
  /** Follows every symlink, also for a file that is not there yet. */
  resolve(path: string): Promise<ResolvedPath>
  /** Without a look at the disk; `path` as written, against the root. True of the file only where no symlink is in between. */
  locate(path: string): ResolvedPath
}

export interface WorkspaceOptions {
  /** Closed to tools, wherever it is reached from. */
  qmtHome: string
  outputDir: string
  /** Further files that are closed, with their copies beside them (`.bak`, `~`, `.tmp`): keys, and what decides over rights. */
  closed?: readonly string[]
  /** What `~` means. */
  home?: string
  /** `PATH`: a file there is a program. */
  path?: string
  /** Default: commands run as the user who runs qmtcode. */
  confine?(place: Omit<ConfinedPlace, 'forGuest'>): Promise<Confinement | undefined>
}

const UNCONFINED: Confinement = { kind: 'none', why: 'none is set up', isRequired: false }

/** Throws bad_request when `directory` is not a directory. */
export async function openWorkspace(directory: string, options: WorkspaceOptions): Promise<Workspace> {
  const found = await stat(directory).catch((cause: unknown) => {
    throw new AppError('bad_request', `the workspace ${directory} cannot be opened: ${reasonOf(cause)}`, { cause })
  })
  if (!found.isDirectory()) throw new AppError('bad_request', `the workspace ${directory} is not a directory`)
  const root = await realpath(directory)
  const outputDir = await followAll(resolve(options.outputDir))
  const qmtHome = await followAll(resolve(options.qmtHome))
  const closed = await Promise.all((options.closed ?? []).map(async (file) => await followAll(resolve(file))))

  const places = createObeyedPlaces(root, { home: options.home, path: options.path })
  const absolute = (path: string): string => resolve(root, expandHome(path, options.home))
  const placeOf = (real: string): Place => {
    if (isWithin(outputDir, real)) return 'output'
    if (isWithin(qmtHome, real) || closed.some((file) => isCopy(file, real)) || PROCESS_FILE.test(real)) return 'private'
    return isWithin(root, real) ? 'workspace' : 'outside'
  }
  const describe = (given: string, real: string): ResolvedPath => {
    const place = placeOf(real)
    return { given, real, shown: place === 'workspace' ? relative(root, real) || '.' : real, place }
  }
  return {
    root,
    outputDir,
    confinement: (await options.confine?.({ root, outputDir })) ?? UNCONFINED,
    resolve: async (path) => {
      if (path.includes('\0')) throw new AppError('bad_request', 'a path cannot hold a NUL character')
      const lexical = absolute(path)
      const real = await followAll(lexical)
      const obeyed = await places.at(lexical, real)
      return { ...describe(path, real), ...(obeyed && { obeyed }) }
    },
    locate: (path) => describe(path, absolute(path)),
  }
}

const PROCESS_FILE = /^\/proc\/\d+\// // environ and mem of this process hold keys

/** Whether `path` is `file`, or bears its name in the same directory with what programs add to that of a copy: `key.bak`, `key~`, `.key.swp`, `#key#`. */
export function isCopy(file: string, path: string): boolean {
  if (path === file) return true
  if (dirname(path) !== dirname(file)) return false
  const name = basename(path)
    .toLowerCase()
    .replace(/^[.#]+/, '')
  const own = basename(file)
    .toLowerCase()
    .replace(/^[.#]+/, '')
  return name === own || (name.startsWith(own) && COPY_MARK.test(name.slice(own.length)))
}
const COPY_MARK = /^[^a-z0-9]/

function expandHome(path: string, home: string | undefined): string {
  if (home === undefined || (path !== '~' && !path.startsWith('~/'))) return path
  return join(home, path.slice(1))
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

function reasonOf(error: unknown): string {
  const code = codeOf(error)
  if (code === 'ENOENT') return 'there is nothing of this name'
  if (code === 'EACCES') return 'no permission'
  return error instanceof Error ? error.message : String(error)
}
