import { lstat, readlink, realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { AppError } from '@qmtcode/protocol'

/** Whether `path` is `directory` or below it; both absolute and normal. */
export function isWithin(directory: string, path: string): boolean {
  if (path === directory) return true
  return path.startsWith(directory.endsWith(sep) ? directory : directory + sep)
}

const MAX_LINKS = 40 // as the kernel

/** Whether a path lies in `directory`, or a link in there is on its way: who writes there decides where it leads. */
export async function leadsThrough(directory: string, path: string, links = 0): Promise<boolean> {
  if (isWithin(directory, path)) return true
  const parent = dirname(path)
  if (parent === path) return false
  if (links > MAX_LINKS || (await leadsThrough(directory, parent, links))) return true
  const here = join(await realpath(parent).catch(() => parent), path.slice(parent.length).replace(sep, ''))
  if (isWithin(directory, here)) return true
  const target = await readlink(here).catch(() => undefined)
  return target !== undefined && (await leadsThrough(directory, resolve(dirname(here), target), links + 1))
}

/** `realpath` for a path whose end may not exist: a dangling link counts as where it points, so that nothing is created through it unseen. */
export async function followAll(path: string, links = 0): Promise<string> {
  if (links > MAX_LINKS) throw new AppError('bad_request', `${path}: too many symbolic links`)
  try {
    return await realpath(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const parent = dirname(path)
  if (parent === path) return path
  const realParent = await followAll(parent, links + 1)
  const here = join(realParent, path.slice(parent.length).replace(sep, ''))
  const entry = await lstat(here).catch(() => undefined)
  if (entry?.isSymbolicLink() !== true) return here
  const target = await readlink(here)
  return await followAll(isAbsolute(target) ? target : join(realParent, target), links + 1)
}
