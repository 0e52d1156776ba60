import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { lstat, readFile, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isWithin } from '../tools/real-path.ts'

/** What is read. Beyond, a file counts by its size, its inode and the time of its last change. */
const MAX_BYTES = 33_554_432
/** Beyond, nothing is looked at. */
const MAX_FILES = 200_000

export interface PrintOptions {
  /** Names right in a directory of `paths` that do not count. */
  without?: readonly string[]
  /** Links are followed no further: what lies elsewhere is not brought. */
  within: string
  /** Counts too. */
  text?: string
}

/** The same as long as nothing in it changes: names, content, what may be run, and what links lead to. */
export async function printOf(paths: readonly string[], { within, without = [], text = '' }: PrintOptions): Promise<string> {
  const hash = createHash('sha256')
  const walk: Walk = { hash, bytes: MAX_BYTES, files: MAX_FILES, seen: new Set(), within, without }
  tell(walk, [text])
  for (const path of paths) await add(walk, path, '')
  return hash.digest('hex')
}

interface Walk {
  hash: Hash
  /** That are left. */
  bytes: number
  files: number
  /** Directories, by their real path: links may lead in circles. */
  seen: Set<string>
  within: string
  without: readonly string[]
}

async function add(walk: Walk, path: string, shown: string): Promise<void> {
  walk.files -= 1
  if (walk.files < 0) return
  const isLink = (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true
  const real = await realpath(path).catch(() => undefined)
  const isHere = real !== undefined && (!isLink || isWithin(walk.within, real))
  const found = isHere ? await stat(path).catch(() => undefined) : undefined
  tell(walk, [shown, isLink && (await readlink(path).catch(() => '')), found && [found.isDirectory(), (found.mode & 0o111) !== 0]])
  if (!found || real === undefined) return
  if (!found.isDirectory()) return await addFile(walk, path)
  if (walk.seen.has(real)) return
  walk.seen.add(real)
  const names = (await readdir(path).catch(() => [])).filter((name) => shown !== '' || !walk.without.includes(name))
  for (const name of names.toSorted()) await add(walk, join(path, name), `${shown}/${name}`)
}

async function addFile(walk: Walk, path: string): Promise<void> {
  const found = await stat(path)
  walk.bytes -= found.size
  const content = found.isFile() && walk.bytes >= 0 ? await readFile(path).catch(() => undefined) : undefined
  tell(walk, content ? [content.length] : [found.size, found.ino, found.ctimeMs])
  if (content) walk.hash.update(content)
}

/** One line, which nothing in a name ends. */
function tell({ hash }: Walk, parts: readonly unknown[]): void {
  hash.update(`${JSON.stringify(parts)}\n`)
}
