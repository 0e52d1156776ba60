import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import type { Stats } from 'node:fs'
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '@qmtcode/protocol'
import { codeOf } from './workspace.ts'
import { writeInPlace } from './write-in-place.ts'

const run = promisify(execFile)

/**
 * Replaces the file in one step, keeping its mode, owner, group and extended attributes, and makes the directories above it: a reader sees the old
 * text or the new. A file that a rename would make another one (it has further hard links, is a mount point, has an owner or attributes that cannot
 * be given to a new file, or lies in a directory that takes no new file) is written in place.
 */
export async function writeAtomic(path: string, text: string | Uint8Array): Promise<void> {
  const before = await lstat(path).catch(() => undefined)
  if (before && !before.isFile())
    throw new AppError('bad_request', `${path} is ${before.isDirectory() ? 'a directory' : 'not a plain file'}`)
  if (before && before.nlink > 1) return await writeInPlace(path, text)
  await mkdir(dirname(path), { recursive: true })
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID().slice(0, 8)}.tmp`)
  try {
    await writeTemporary(temporary, text)
    if (before) await takeAttributes(temporary, { path, before })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined) // there is none where the directory takes no file
    if (!before || !isReplaceRefused(error)) throw error
    await writeInPlace(path, text)
  }
}

async function writeTemporary(temporary: string, text: string | Uint8Array): Promise<void> {
  const file = await open(temporary, 'wx', 0o666)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Throws `attributes` where the new file cannot be like the old one. */
async function takeAttributes(temporary: string, { path, before }: { path: string; before: Stats }): Promise<void> {
  const file = await open(temporary, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    const now = await file.stat()
    if (now.uid !== before.uid || now.gid !== before.gid) await file.chown(before.uid, before.gid).catch(refused)
    await file.chmod(before.mode & 0o7777) // after chown, which clears set-user-id
  } finally {
    await file.close()
  }
  // Node has no call for extended attributes. GNU cp copies them, and nothing else here; a system that has no such cp writes in place.
  await run('/bin/cp', ['--attributes-only', '--no-preserve=all', '--preserve=xattr', '--', path, temporary], { env: {} }).catch(refused)
}

const ATTRIBUTES = 'attributes cannot be kept'

function refused(cause: unknown): never {
  throw new Error(ATTRIBUTES, { cause })
}

/** What says that this file cannot be replaced by another, not that it cannot be written. */
function isReplaceRefused(error: unknown): boolean {
  if (error instanceof Error && error.message === ATTRIBUTES) return true
  return ['EACCES', 'EPERM', 'EBUSY', 'EXDEV', 'EROFS', 'ENAMETOOLONG'].includes(codeOf(error) ?? '')
}
