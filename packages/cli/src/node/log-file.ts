import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'
import pino from 'pino'

const MAX_BYTES = 10_000_000 // a day of debug; one older file is kept

export interface LogFile {
  logger: Logger
  /** Writes out what is buffered. */
  close(): void
}

/** `QMT_HOME/qmtcode.log`, JSON lines, keys redacted. `level`: QMT_LOG (debug, info, warn, error); default info. */
export function openLogFile(home: string, level = 'info'): LogFile {
  const file = join(home, 'qmtcode.log')
  const destination = openFile(file)
  const known = level in pino.levels.values ? level : 'info'
  const options = { level: known, base: undefined, redact: { paths: ['apiKey', 'api_key', '*.apiKey', '*.api_key', '*.authorization'] } }
  return { logger: toLogger(pino(options, destination)), close: () => destination.flushSync() }
}

function openFile(file: string): ReturnType<typeof pino.destination> {
  try {
    rotate(file)
    return pino.destination({ dest: file, mode: 0o600, sync: true })
  } catch (cause) {
    const hint = 'the file and its directory must be writable for this user'
    throw new AppError('bad_config', `cannot write the log ${file}: ${(cause as Error).message}`, { cause, hint })
  }
}

function rotate(file: string): void {
  try {
    if (statSync(file).size > MAX_BYTES) renameSync(file, `${file}.1`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function toLogger(log: pino.Logger): Logger {
  return {
    debug: (message, fields = {}) => log.debug(fields, message),
    info: (message, fields = {}) => log.info(fields, message),
    warn: (message, fields = {}) => log.warn(fields, message),
    error: (message, fields = {}) => log.error(fields, message),
    child: (name) => toLogger(log.child({ part: name })),
  }
}
