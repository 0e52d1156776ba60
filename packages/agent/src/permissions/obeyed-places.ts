import { lstat, readdir, stat } from 'node:fs/promises'
import { delimiter, dirname, isAbsolute, join, relative } from 'node:path'
import { followAll, isWithin } from '../tools/real-path.ts'
import { pathsNamedByGit } from './git-settings.ts'
import { foldedName, obeyedName } from './obeyed-files.ts'
import type { Obeyed } from './obeyed-files.ts'

/** What programs run or obey in a workspace though the name of the file says nothing: only a look at the disk tells. */
export interface ObeyedPlaces {
  /** `lexical`: absolute, as it was asked for; `real`: where that leads, also for a file that is not there yet. */
  at(lexical: string, real: string): Promise<Obeyed | undefined>
}

export interface ObeyedPlacesOptions {
  home?: string
  /** `PATH`, where a shell finds programs by their name. */
  path?: string
}

const GIT: Obeyed = { by: 'git', runs: true }

export function createObeyedPlaces(root: string, { home, path = '' }: ObeyedPlacesOptions): ObeyedPlaces {
  const programs = Promise.all(path.split(delimiter).filter(isAbsolute).map(realOf))
  const links = linksOf(root)
  return {
    at: async (lexical, real) => {
      const asNamed = lexical !== real && isWithin(root, lexical) ? obeyedName(relative(root, lexical)) : undefined
      if (asNamed) return asNamed
      if (await isInRepository(real)) return GIT
      const link = (await links()).find(({ target }) => isWithin(target, real))
      if (link) return link.obeyed
      const named = await Promise.all((await pathsNamedByGit(root, home)).map(realOf))
      if (named.some((target) => target !== root && !isWithin(target, root) && isWithin(target, real))) return GIT
      return (await programs).includes(dirname(real)) ? { by: 'a shell', runs: true } : undefined
    },
  }
}

/**
 * Whether a directory above is, or becomes by this file, what git takes for a repository, whatever it is called: its `config` and `hooks`
 * then run.
 */
export async function isInRepository(real: string): Promise<boolean> {
  for (let child = real, at = dirname(real); at !== child; child = at, at = dirname(at)) {
    const name = foldedName(child.slice(at.length).replace(/^[/\\]/, ''))
    const has = async (part: string): Promise<boolean> => name === part.toLowerCase() || (await isThere(join(at, part)))
    if (!(await has('HEAD'))) continue
    if ((await has('commondir')) || ((await has('objects')) && (await has('refs')))) return true
  }
  return false
}

/** Listed names at the top of a workspace that are links: what they lead to is obeyed. Looked up again when the directory changes. */
function linksOf(root: string): () => Promise<{ target: string; obeyed: Obeyed }[]> {
  let changed = -1
  let found: { target: string; obeyed: Obeyed }[] = []
  return async () => {
    const { mtimeMs } = await stat(root).catch(() => ({ mtimeMs: -2 }))
    if (mtimeMs === changed) return found
    const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
    const links = entries.flatMap((entry) => {
      const obeyed = entry.isSymbolicLink() ? obeyedName(entry.name) : undefined
      return obeyed ? [{ name: entry.name, obeyed }] : []
    })
    const targets = await Promise.all(links.map(async ({ name, obeyed }) => ({ target: await realOf(join(root, name)), obeyed })))
    found = targets.filter(({ target }) => !isWithin(target, root))
    changed = mtimeMs
    return found
  }
}

const realOf = async (path: string): Promise<string> => await followAll(path).catch(() => path)

const isThere = async (path: string): Promise<boolean> =>
  await lstat(path).then(
    () => true,
    () => false,
  )
