import { readFile, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { isWithin } from './real-path.ts'

/** Ignore rules that stand above a directory, and hold below it. */
export interface IgnoreRules {
  /** The directory that the patterns are relative to: the top of the repository, or the workspace. */
  base: string
  /** Patterns in gitignore's syntax, those of outer directories first, since the last that matches decides. */
  patterns: string[]
  /** The files they were read from. */
  files: string[]
}

const IGNORE_FILES = ['.gitignore', '.ignore', '.rgignore']
const MAX_IGNORE_BYTES = 1_048_576

/**
 * The ignore files from the repository of `root` down to the parent of `from`. Files above the repository do not count: a `.gitignore` with `*`
 * in a home directory, as people have who keep their dotfiles in git, hides no project below it. ripgrep reads those of `from` and below by itself.
 */
export async function ignoreRulesAbove(root: string, from: string): Promise<IgnoreRules> {
  const start = isWithin(root, from) ? root : from
  const base = (await repositoryOf(start)) ?? start
  const rules: IgnoreRules = { base, patterns: [], files: [] }
  for (const directory of directoriesBetween(base, from)) {
    const names = directory === base ? [join('.git', 'info', 'exclude'), ...IGNORE_FILES] : IGNORE_FILES
    for (const name of names) await addFile(rules, join(directory, name), relative(base, directory))
  }
  return rules
}

/** The nearest directory at or above `directory` that has a `.git`, be it a directory or, in a worktree, a file. */
async function repositoryOf(directory: string): Promise<string | undefined> {
  for (let at = directory; ; at = dirname(at)) {
    if (await stat(join(at, '.git')).catch(() => undefined)) return at
    if (dirname(at) === at) return undefined
  }
}

/** From `top` down to the parent of `end`; none where they are the same. */
function directoriesBetween(top: string, end: string): string[] {
  const found: string[] = []
  for (let at = end; at !== top && isWithin(top, at); at = dirname(at)) found.unshift(dirname(at))
  return found
}

async function addFile(rules: IgnoreRules, path: string, prefix: string): Promise<void> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile() || info.size > MAX_IGNORE_BYTES) return
  const text = await readFile(path, 'utf8').catch(() => '')
  const patterns = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (patterns.length === 0) return
  rules.files.push(path)
  rules.patterns.push(...patterns.map((pattern) => prefixed(pattern, prefix)))
}

/** A pattern of a directory's ignore file, as it would be written in one further up. */
function prefixed(pattern: string, prefix: string): string {
  if (prefix === '') return pattern
  const negation = pattern.startsWith('!') ? '!' : ''
  const body = pattern.slice(negation.length)
  const isAnchored = body.slice(0, -1).includes('/')
  const directory = prefix.replace(/[\\*?[\]!#]/g, '\\$&')
  return `${negation}/${directory}/${isAnchored ? body.replace(/^\//, '') : `**/${body}`}`
}
