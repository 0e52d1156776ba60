import { readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'

const MAX_BYTES = 262_144
/** Keys whose value is a file that git reads or runs. */
const FILE_KEYS = new Set(['hookspath', 'path', 'attributesfile', 'template', 'templatedir'])
/** Keys whose value is a command line. */
const COMMAND_KEYS = new Set(
  (
    'fsmonitor sshcommand pager editor askpass gitproxy clean smudge process textconv command driver cmd program helper uploadpack ' +
    'receivepack external difffilter alternaterefscommand packobjectshook recentobjectshook vcs browser httpd smtpserver sendmailcmd ' +
    'tocmd cccmd headercmd'
  ).split(' '),
)
const SEPARATORS = /[\s"';|&()<>$!`]+/
const LINE = /^\s*(?:\[[^\]]*\]\s*)?([a-z][\w.-]*)\s*=\s*(.*?)\s*$/i

/** Paths that the settings of git name for work in `directory`: those of its repository, and of the person. They may not exist. */
export async function pathsNamedByGit(directory: string, home?: string): Promise<string[]> {
  const top = await repositoryAround(directory)
  const own = home === undefined ? [] : [join(home, '.gitconfig'), join(home, '.config', 'git', 'config')]
  const gitDirectories = top === undefined ? [] : await gitDirectoriesOf(join(top, '.git'))
  const files = [...gitDirectories.flatMap((at) => [join(at, 'config'), join(at, 'config.worktree')]), ...own]
  const bases = [...new Set([top ?? directory, directory])]
  const found = await Promise.all(files.map(async (file) => await namedIn(file, [...bases, dirname(file)], home)))
  return [...new Set([...gitDirectories, ...found.flat()])]
}

export async function repositoryAround(directory: string): Promise<string | undefined> {
  if (await exists(join(directory, '.git'))) return directory
  const parent = dirname(directory)
  return parent === directory ? undefined : await repositoryAround(parent)
}

/** `.git` itself, or where a file of this name leads, and where a worktree's directory leads from there. */
export async function gitDirectoriesOf(dotGit: string): Promise<string[]> {
  const led = /^gitdir:\s*(.+?)\s*$/m.exec(await textOf(dotGit))?.[1]
  if (led === undefined) return [dotGit]
  const directory = resolve(dirname(dotGit), led)
  const common = (await textOf(join(directory, 'commondir'))).trim()
  return common === '' ? [directory] : [directory, resolve(directory, common)]
}

/** The lines of a repository's settings that make git run or read something else. */
export async function commandsOfGit(gitDirectories: readonly string[]): Promise<string[]> {
  const files = gitDirectories.flatMap((at) => [join(at, 'config'), join(at, 'config.worktree')])
  const settings = await Promise.all(files.map(settingsOf))
  return settings.flat().flatMap(({ key, value }) => (FILE_KEYS.has(key) || isCommand(key, value) ? [`${key} = ${value}`] : []))
}

async function settingsOf(file: string): Promise<{ key: string; value: string }[]> {
  const lines = (await textOf(file)).replaceAll('\\\n', '').split('\n')
  const settings = lines.map((line) => LINE.exec(line)).filter((found) => found !== null)
  return settings.map(([, key = '', value = '']) => ({ key: key.toLowerCase(), value }))
}

const isCommand = (key: string, value: string): boolean => COMMAND_KEYS.has(key) || /^"?!/.test(value)

/** A word of a command line counts if it looks like a path, or is one. */
async function namedIn(file: string, bases: readonly string[], home: string | undefined): Promise<string[]> {
  const paths = (await settingsOf(file)).flatMap(({ key, value }) => {
    if (FILE_KEYS.has(key)) return absolutePaths(value.replaceAll('"', ''), bases, home)
    const words = isCommand(key, value) ? value.split(SEPARATORS).filter((word) => word !== '') : []
    return words.flatMap((word) => absolutePaths(word, bases, home).map((path) => (word.includes('/') ? path : { path })))
  })
  const found = paths.map(async (one) => {
    if (typeof one === 'string') return [one]
    return (await exists(one.path)) ? [one.path] : []
  })
  return (await Promise.all(found)).flat()
}

function absolutePaths(word: string, bases: readonly string[], home: string | undefined): string[] {
  if (word.startsWith('~/')) return home === undefined ? [] : [join(home, word.slice(2))]
  return isAbsolute(word) ? [resolve(word)] : bases.map((base) => resolve(base, word))
}

async function textOf(file: string): Promise<string> {
  try {
    const found = await stat(file)
    return found.isFile() && found.size <= MAX_BYTES ? await readFile(file, 'utf8') : ''
  } catch {
    return ''
  }
}

const exists = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => true,
    () => false,
  )
