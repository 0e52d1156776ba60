import type { Dirent } from 'node:fs'
import { chmod, lstat, opendir, realpath, stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { basename, delimiter, dirname, isAbsolute, join, relative } from 'node:path'
import { pathsNamedByGit } from '../permissions/git-settings.ts'
import { obeyedName } from '../permissions/obeyed-files.ts'
import type { Obeyed } from '../permissions/obeyed-files.ts'
import { followAll, isWithin } from '../tools/real-path.ts'

/** A file or directory of a workspace that other programs run or obey. */
export interface FoundObeyed {
  path: string
  by: string
  runs: boolean
  /** Which file it is, and of a link which file it leads to: another one under the same name differs in it. */
  identity: string
  /** Its name says nothing: it is a repository by what is in it. */
  isRepository?: boolean
}

export interface ObeyedScan {
  found: FoundObeyed[]
  /** False if there is more than one look takes: what is missing in `found` may be there. */
  isWhole: boolean
}

export interface ObeyedScanOptions {
  home?: string
  /** `PATH`: of its directories in the workspace, each file is a program. */
  path?: string
  /** Also look into directories that cannot be read: a command of a peer may have closed them. They are opened for it. */
  opensClosed?: boolean
  /** Directories of the list that hold further names of it. Default: none, as a directory stands for all in it. */
  looksInto?(obeyed: Obeyed): boolean
  /** Default: 200,000 files and directories. */
  maxEntries?: number
}

/** What installations fill; its files are code that somebody starts. */
const PASSED_OVER = new Set(['node_modules', '.venv', 'venv', 'site-packages', '__pycache__'])
const MAX_ENTRIES = 200_000
const MAX_DEPTH = 40
/** Repositories below the workspace whose settings are read for what they name. */
const MAX_REPOSITORIES = 50
const BATCH = 256
const GIT = { by: 'git', runs: true }

/** From the top down; a listed directory stands for all in it. */
export async function scanObeyed(root: string, options: ObeyedScanOptions = {}): Promise<ObeyedScan> {
  const { looksInto = () => false } = options
  const found: FoundObeyed[] = []
  const reader = createReader(options)
  let level = [root]
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth += 1) {
    const next: string[] = []
    for (const directory of level) {
      const entries = await reader.entriesOf(directory)
      if (isRepository(entries)) {
        found.push({ ...GIT, path: directory, identity: await identityOf(directory), isRepository: true })
        if (directory !== root) continue
      }
      for (const [at, entry] of entries.entries()) {
        if (at % BATCH === BATCH - 1) await setImmediate() // others have their turn
        const path = join(directory, entry.name)
        const obeyed = obeyedName(relative(root, path))
        if (obeyed) found.push({ ...obeyed, path, identity: await identityOf(path) })
        const isOpen = obeyed ? looksInto(obeyed) : !PASSED_OVER.has(entry.name)
        if (isOpen && entry.isDirectory()) next.push(path)
      }
    }
    level = next
  }
  const repositories = found.filter(({ path }) => basename(path) === '.git').map(({ path }) => dirname(path))
  const named = await namedByGit(root, [...new Set([root, ...repositories])].slice(0, MAX_REPOSITORIES), options.home)
  const programs = await programsIn(root, options.path)
  return { found: [...found, ...named, ...programs], isWhole: reader.hasRoom() && level.length === 0 }
}

function createReader({ opensClosed = false, maxEntries = MAX_ENTRIES }: ObeyedScanOptions) {
  let left = maxEntries
  const read = async (directory: string): Promise<Dirent[]> => {
    const entries: Dirent[] = []
    for await (const entry of await opendir(directory, { bufferSize: BATCH })) {
      left -= 1
      if (left < 0) break
      entries.push(entry)
    }
    return entries
  }
  return {
    hasRoom: (): boolean => left >= 0,
    entriesOf: async (directory: string): Promise<Dirent[]> => {
      if (left < 0) return []
      try {
        return await read(directory)
      } catch {
        if (!opensClosed || (await lstat(directory).catch(() => undefined))?.isDirectory() !== true) return []
        await chmod(directory, 0o700).catch(() => undefined)
        return await read(directory).catch(() => [])
      }
    },
  }
}

function isRepository(entries: readonly Dirent[]): boolean {
  const names = new Set(entries.map(({ name }) => name.toLowerCase()))
  return names.has('head') && (names.has('commondir') || (names.has('objects') && names.has('refs')))
}

async function identityOf(path: string): Promise<string> {
  const own = await lstat(path).catch(() => undefined)
  const target = own?.isSymbolicLink() === true ? await stat(path).catch(() => undefined) : own
  return JSON.stringify([own?.dev, own?.ino, target?.dev, target?.ino])
}

async function programsIn(root: string, path = ''): Promise<FoundObeyed[]> {
  const directories = path.split(delimiter).filter((directory) => isAbsolute(directory))
  const real = await Promise.all(directories.map(async (directory) => await realpath(directory).catch(() => undefined)))
  const inside = [...new Set(real)].filter((at) => at !== undefined && at !== root && isWithin(root, at))
  return await Promise.all(inside.map(async (at = '') => ({ by: 'a shell', runs: true, path: at, identity: await identityOf(at) })))
}

/** What the settings of git name: hooks, filters, included settings, whatever they are called. */
async function namedByGit(root: string, repositories: readonly string[], home: string | undefined): Promise<FoundObeyed[]> {
  const named = await Promise.all(repositories.map(async (at) => await pathsNamedByGit(at, home)))
  const real = await Promise.all(named.flat().map(async (path) => await followAll(path).catch(() => path)))
  const inside = [...new Set(real)].filter(
    (path) => path !== root && isWithin(root, path) && obeyedName(relative(root, path)) === undefined,
  )
  const found = inside.map(async (path): Promise<FoundObeyed[]> => {
    const isThere = (await lstat(path).catch(() => undefined)) !== undefined
    return isThere ? [{ ...GIT, path, identity: await identityOf(path) }] : []
  })
  return (await Promise.all(found)).flat()
}
