import { randomBytes } from 'node:crypto'
import { chmod, copyFile, open, rename, unlink } from 'node:fs/promises'

/** Writes `content` beside `file`, mode 0600, synced; resolves with where, for the caller to move. Leaves nothing where it fails. */
export async function writeBeside(file: string, content: string | Uint8Array): Promise<string> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  } finally {
    await handle.close()
  }
  return temporary
}

/** Puts `content` in the place of `file` in one step: whoever reads sees the old or the new one. `backup`: where the old one stays, mode 0600. */
export async function replaceFile(file: string, content: string | Uint8Array, { backup }: { backup?: string } = {}): Promise<void> {
  const temporary = await writeBeside(file, content)
  try {
    if (backup !== undefined) {
      await copyFile(file, backup)
      await chmod(backup, 0o600)
    }
    await rename(temporary, file)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}
