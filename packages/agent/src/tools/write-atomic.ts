import { randomUUID } from 'node:crypto'
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError } from '@qmtcode/protocol'

/** Replaces the file in one step, keeping its mode, and makes the directories above it. A reader sees the old text or the new. */
export async function writeAtomic(path: string, text: string): Promise<void> {
  const before = await lstat(path).catch(() => undefined)
  if (before && !before.isFile())
    throw new AppError('bad_request', `${path} is ${before.isDirectory() ? 'a directory' : 'not a plain file'}`)
  await mkdir(dirname(path), { recursive: true })
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID().slice(0, 8)}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o666)
    try {
      await file.writeFile(text)
      if (before) await file.chmod(before.mode & 0o7777)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
