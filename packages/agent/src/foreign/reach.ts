import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { followAll, isWithin } from '../tools/real-path.ts'

/** What lies where sessions write: nothing of it decides what this node starts. */
export interface Reach {
  /** Whether a path lies there, by its own name or by where its links lead. */
  holds(path: string): Promise<boolean>
  /** Whether a text names a path there, or a path that depends on the directory it is used in. */
  names(text: string): Promise<boolean>
  /** The absolute entries of a `PATH` that lie elsewhere. */
  entriesOutside(path: string): Promise<string[]>
}

const REPOSITORIES = ['.git', '.hg', '.jj', '.svn']
const SEPARATORS = /[\s:;,="']+/
const RELATIVE = /^\.{1,2}(?:[/\\]|$)/

/**
 * Each workspace with the repository around it, whose parts come from one hand. What holds the home directory counts for nothing:
 * all programs of its owner would lie there.
 */
export async function reachOf(workspaces: readonly string[], home: string): Promise<Reach> {
  const realHome = await realOf(home)
  const counts = (directory: string): boolean => !isWithin(directory, realHome) && !isWithin(directory, home)
  const found = workspaces.map(async (workspace) => {
    const real = await realOf(workspace)
    return [workspace, real, repositoryAround(real) ?? real].filter(counts)
  })
  const directories = [...new Set((await Promise.all(found)).flat())]
  const holds = async (path: string): Promise<boolean> => {
    const real = await realOf(path)
    return directories.some((directory) => isWithin(directory, path) || isWithin(directory, real))
  }
  return {
    holds,
    names: async (text) => {
      if (directories.some((directory) => mentions(text, directory))) return true
      const parts = text.split(SEPARATORS)
      if (parts.some((part) => RELATIVE.test(part))) return true
      return (await Promise.all(parts.filter(isAbsolute).map(holds))).includes(true)
    },
    entriesOutside: async (path) => {
      const entries = path.split(delimiter).filter(isAbsolute)
      const inside = await Promise.all(entries.map(holds))
      return entries.filter((_, at) => inside[at] === false)
    },
  }
}

/** Files that a command names by absolute paths: its program, and scripts among its arguments. */
export async function filesOf(command: readonly string[]): Promise<string[]> {
  const paths = command.flatMap((word) => [word, word.slice(word.indexOf('=') + 1)]).filter(isAbsolute)
  const isFile = await Promise.all(paths.map(async (path) => (await stat(path).catch(() => undefined))?.isFile() === true))
  return [...new Set(paths.filter((_, at) => isFile[at]))]
}

/** A path with blanks in it is one path too. */
function mentions(text: string, directory: string): boolean {
  const at = text.indexOf(directory)
  if (at === -1) return false
  const next = text.slice(at + directory.length, at + directory.length + 1)
  return next === '' || /[/\\\s:;,="']/.test(next) || mentions(text.slice(at + directory.length), directory)
}

function repositoryAround(directory: string): string | undefined {
  if (REPOSITORIES.some((name) => existsSync(join(directory, name)))) return directory
  const parent = dirname(directory)
  return parent === directory ? undefined : repositoryAround(parent)
}

const realOf = async (path: string): Promise<string> => await followAll(path).catch(() => path)
