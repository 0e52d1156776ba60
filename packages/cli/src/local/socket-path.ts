import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { AppError } from '@qmtcode/protocol'

/** sun_path of the smallest system we run on (macOS: 104), less the terminating zero. */
const MAX_SOCKET_PATH_BYTES = 103

/** `QMT_HOME/node.sock`; for a home too deep for a socket's name, a directory of this user's own under the system's temporary one. */
export function socketPathOf(home: string): string {
  const path = join(home, 'node.sock')
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path
  const uid = process.getuid?.() ?? 0
  const directory = join(tmpdir(), `qmtcode-${uid}`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const found = lstatSync(directory)
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new AppError('bad_config', `${directory} is not a directory that only this user can enter`, {
      hint: `remove it, or set QMT_HOME to a shorter path than ${home}`,
    })
  }
  return join(directory, `${createHash('sha256').update(home).digest('hex').slice(0, 16)}.sock`)
}
