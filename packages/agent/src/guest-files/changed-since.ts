import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** The clock of a file system is behind by up to a tick of the kernel. */
const TICK_MS = 50
const BATCH = 64

export interface ChangedFile {
  path: string
  isWhole: boolean
}

export interface ChangedSinceOptions {
  /** Files and directories that are looked at. Default: 50,000. */
  maxEntries?: number
  /** Files that are named. Default: 100. */
  maxChanged?: number
}

/**
 * What was made, written, renamed, or given other rights below `root` since a moment, by the time of its inode, which no program can set. A directory
 * counts with all in it where nothing in it says more: something was moved or removed there. Undefined: there is more than is looked at.
 */
export async function changedSince(
  root: string,
  since: number,
  { maxEntries = 50_000, maxChanged = 100 }: ChangedSinceOptions = {},
): Promise<ChangedFile[] | undefined> {
  const changed: ChangedFile[] = []
  const isChanged = async (path: string): Promise<boolean> => {
    const found = await lstat(path).catch(() => undefined)
    return found !== undefined && found.ctimeMs >= since - TICK_MS
  }
  const waiting = [root]
  let seen = 0
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    if (await isChanged(directory)) changed.push({ path: directory, isWhole: true })
    const entries: Dirent[] = await readdir(directory, { withFileTypes: true }).catch(() => [])
    seen += entries.length
    if (seen > maxEntries) return undefined
    for (let at = 0; at < entries.length; at += BATCH) {
      const batch = entries.slice(at, at + BATCH).map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        if (entry.isDirectory()) waiting.push(path)
        else if (await isChanged(path)) changed.push({ path, isWhole: false })
      })
      await Promise.all(batch)
    }
    if (changed.length > maxChanged * 10) return undefined
  }
  const named = innermost(changed, root)
  return named.length > maxChanged ? undefined : named
}

/** Without the directories of what is named anyway. */
function innermost(changed: readonly ChangedFile[], root: string): ChangedFile[] {
  const above = new Set<string>()
  for (const { path } of changed) {
    for (let at = dirname(path); at.length >= root.length && !above.has(at); at = dirname(at)) above.add(at)
  }
  return changed.filter(({ path }) => !above.has(path)).toSorted((one, other) => (one.path < other.path ? -1 : 1))
}
