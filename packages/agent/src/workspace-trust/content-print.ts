import { lstat, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { commandsOfGit, gitDirectoriesOf } from '../permissions/git-settings.ts'
import { isWithin } from '../tools/real-path.ts'
import { printOf } from './print.ts'

/** Of what version control keeps, only this decides what runs: the rest changes all the time. */
const SETTINGS: Record<string, readonly string[]> = {
  '.hg': ['hgrc'],
  '.jj': ['repo', 'repo/config.toml', 'repo/store/git/config', 'repo/store/git/hooks'],
  '.sl': ['config'],
  '.svn': [],
  '.bzr': ['branch/branch.conf'],
  _darcs: ['prefs'],
  '.pijul': ['config'],
}

/** What programs keep there for themselves, and nothing runs. */
const STATE: Record<string, readonly string[]> = { '.idea': ['workspace.xml', 'shelf'], '.claude': ['worktrees'] }
const HISTORY = /^\.aider\.(?:chat\.history\.md|input\.history|tags\.cache.*)$/i

export interface Content {
  path: string
  isRepository?: boolean
}

/** Of what there is to run or obey. Undefined: as it is, nothing. `root`: of the workspace. */
export async function contentPrint(root: string, { path, isRepository }: Content): Promise<string | undefined> {
  const name = basename(path)
  const within = isWithin(root, path) ? root : dirname(path)
  if (isRepository === true) return await gitPrint([path], within)
  if (name.toLowerCase() === '.git') return await gitPrint(await gitDirectoriesOf(path), within)
  if (HISTORY.test(name)) return undefined
  const settings = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined
  if (!settings) return await printOf([path], { within, without: Object.hasOwn(STATE, name) ? STATE[name] : [] })
  const files = await thoseThere(settings.map((at) => join(path, at)))
  return files.length === 0 ? undefined : await printOf(files, { within })
}

/** Commands in its settings, and hooks: not those that git itself puts there. */
async function gitPrint(directories: readonly string[], within: string): Promise<string | undefined> {
  const commands = await commandsOfGit(directories)
  const hooks = await Promise.all(directories.map(async (at) => await hooksIn(join(at, 'hooks'))))
  const files = hooks.flat()
  return commands.length === 0 && files.length === 0 ? undefined : await printOf(files, { within, text: JSON.stringify(commands) })
}

async function hooksIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => !name.endsWith('.sample'))
  return names.toSorted().map((name) => join(directory, name))
}

/** Files, and directories but for the one of a repository that is a directory as usual. */
async function thoseThere(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    paths.map(async (path) => {
      const entry = await lstat(path).catch(() => undefined)
      return entry && !(entry.isDirectory() && basename(path) === 'repo') ? [path] : []
    }),
  )
  return found.flat()
}
