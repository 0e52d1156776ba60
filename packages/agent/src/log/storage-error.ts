import { AppError } from '@qmtcode/protocol/errors'

const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IO_ERROR = 10
const CORRUPT = 11
const FULL = 13
const CANNOT_OPEN = 14
const NOT_A_DATABASE = 26

/** Primary result code of SQLite; undefined for an error that is not SQLite's. */
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

const isDenied = (error: unknown): boolean =>
  ['EACCES', 'EPERM', 'EROFS', 'EISDIR', 'ENOENT'].includes(String((error as { code?: unknown })?.code))

/** Whether the failure is the disk's or the file's: every other write would fail as well. */
export function isStorageFailure(error: unknown): boolean {
  const code = sqliteCode(error)
  return code !== undefined && [BUSY, LOCKED, READONLY, IO_ERROR, CORRUPT, FULL, CANNOT_OPEN, NOT_A_DATABASE].includes(code)
}

/** What SQLite said about `file`, and what to do about it. At the start of a node all of it is bad_config. */
export function storageError(error: unknown, file: string, opening: boolean): AppError {
  if (error instanceof AppError) return error
  const said = error instanceof Error ? error.message : String(error)
  const code = sqliteCode(error) ?? (isDenied(error) ? CANNOT_OPEN : undefined)
  switch (code) {
    case CORRUPT:
    case NOT_A_DATABASE:
      return new AppError('bad_config', `the session log ${file} is damaged: ${said}`, {
        cause: error,
        hint: `it was left as it is; to start with an empty one, move it away: mv ${file} ${file}.damaged (with its -wal and -shm, if there)`,
      })
    case BUSY:
    case LOCKED:
      return new AppError('busy', `the session log ${file} is held by another process: ${said}`, { cause: error })
    case FULL:
      return new AppError('internal', `cannot write the session log ${file}: ${said}`, {
        cause: error,
        hint: 'make room on its disk; what was acknowledged is safe',
      })
    case READONLY:
    case CANNOT_OPEN:
      return new AppError(opening ? 'bad_config' : 'internal', `cannot ${opening ? 'open' : 'write'} the session log ${file}: ${said}`, {
        cause: error,
        hint: 'the file and its directory must be readable and writable for this user',
      })
    default:
      return new AppError(opening ? 'bad_config' : 'internal', `the session log ${file} failed: ${said}`, { cause: error })
  }
}
