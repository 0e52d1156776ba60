import { constants } from 'node:fs'
import { lstat, open, realpath, rename } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { isWithin } from '../tools/real-path.ts'
import { scanObeyed } from './obeyed-scan.ts'
import type { FoundObeyed } from './obeyed-scan.ts'

const MAX_NAMED = 20
/** Of a name: with what is put around it, it stays below what file systems take. */
const MAX_KEPT = 50

export interface HeldBackOptions {
  /** What was there when the command started, which it could not write. */
  before: readonly FoundObeyed[]
  home?: string
  /** `PATH`. */
  path?: string
}

/**
 * Renames what a command of a peer left in the workspace and other programs would run or obey, so that none does. Returns a line for
 * each, for the model and the person.
 */
export async function holdBackNew(root: string, { before, home, path }: HeldBackOptions): Promise<string[]> {
  const known = new Map(before.map(({ path, identity }) => [path, identity]))
  const { found, isWhole } = await scanObeyed(root, { home, path, opensClosed: true })
  const added = found.filter(({ path, identity }) => known.get(path) !== identity)
  const lines: string[] = []
  // The innermost first: a name above it still leads there.
  for (const one of added.toReversed()) lines.push(await holdBack(root, one))
  const more = lines.length - MAX_NAMED
  return [
    ...lines.slice(0, MAX_NAMED),
    ...(more > 0 ? [`${more} more files are held back in the same way`] : []),
    ...(isWhole ? [] : ['the workspace has so many files now that not all were looked at: no more commands of peers run in it']),
  ]
}

async function holdBack(root: string, { path, by, runs, isRepository }: FoundObeyed): Promise<string> {
  const file = isRepository === true ? await headOf(path) : path
  const shown = relative(root, file).replaceAll(/\p{C}/gu, '?')
  const why = `${by} ${runs ? 'runs' : 'obeys'} what is written there`
  const name = await renameWithin(root, file).catch(() => undefined)
  if (name === undefined) return `${shown} could not be held back: remove it, since ${why}`
  return `${shown} is held back as ${join(dirname(shown), name.replaceAll(/\p{C}/gu, '?'))}, since ${why}`
}

async function headOf(repository: string): Promise<string> {
  const upper = join(repository, 'HEAD')
  return (await isThere(upper)) ? upper : join(repository, 'head')
}

/** By the open directory: one that is swapped for a link meanwhile leads nowhere else. Returns the new name. */
async function renameWithin(root: string, file: string): Promise<string> {
  const directory = dirname(file)
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const at = `/proc/self/fd/${handle.fd}`
    const real = await realpath(at)
    if (!isWithin(root, real)) throw new Error(`${directory} has moved`)
    const { mode } = await handle.stat()
    if ((mode & 0o300) !== 0o300) await handle.chmod(0o700)
    for (let count = 1; ; count += 1) {
      const name = heldName(basename(file), count)
      if (await isThere(join(at, name))) continue
      await rename(join(at, basename(file)), join(at, name))
      return name
    }
  } finally {
    await handle.close()
  }
}

/** Neither its beginning nor its end is one that a program looks for. */
const heldName = (name: string, count: number): string => `held-back-${name.slice(0, MAX_KEPT)}.held${count === 1 ? '' : `-${count}`}`

const isThere = async (path: string): Promise<boolean> =>
  await lstat(path).then(
    () => true,
    () => false,
  )
