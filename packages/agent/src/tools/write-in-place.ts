import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'

/** Up to this size the old bytes are held, and put back when the new ones cannot be written whole. */
const MAX_KEPT_BYTES = 67_108_864

/** Writes over the bytes of a file that stays the same file: its inode, links, owner, mode and attributes. Where the disk is full, the old bytes come back. */
export async function writeInPlace(path: string, text: string | Uint8Array): Promise<void> {
  const bytes = Buffer.from(text)
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    const { size } = await file.stat()
    const before = size <= MAX_KEPT_BYTES ? await readWhole(file, size) : undefined
    try {
      await writeWhole(file, bytes)
    } catch (error) {
      if (before) await writeWhole(file, before)
      throw error
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

async function readWhole(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size)
  const { bytesRead } = await file.read(bytes, 0, size, 0)
  return bytes.subarray(0, bytesRead)
}

/** Longer text first, then the end: a reader in between never sees an empty file. */
async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, at)
    at += bytesWritten
  }
  await file.truncate(bytes.length)
}
