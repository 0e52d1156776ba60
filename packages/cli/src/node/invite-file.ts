import { open } from 'node:fs/promises'
import { AppError, inviteIn, toAppError } from '@qmtcode/protocol'

export const MAX_INVITE_BYTES = 65_536

/** The text of a file that holds an invite. Throws bad_request where it cannot be read, is too long, or has none. */
export async function inviteFromFile(path: string): Promise<string> {
  const text = await readStart(path).catch((cause: unknown) => {
    throw new AppError('bad_request', `cannot read the file of the invite, ${path}: ${toAppError(cause).message}`, { cause })
  })
  if (!inviteIn(text))
    throw new AppError('bad_request', `no invite is in the file ${path}`, { hint: 'write into it what qmtcode invite printed' })
  return text
}

async function readStart(path: string): Promise<string> {
  await using file = await open(path)
  const buffer = Buffer.alloc(MAX_INVITE_BYTES)
  let size = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, size, buffer.length - size)
    size += bytesRead
    if (bytesRead === 0 || size === buffer.length) return buffer.toString('utf8', 0, size)
  }
}
