import { closeSync, fchmodSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { AppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'
import pino from 'pino'

/** A day of debug; one older file is kept. Peers choose how often they are refused, so it holds while the node runs, too. */
const MAX_BYTES = 10_000_000

export interface LogFile {
  logger: Logger
  close(): void
}

/** `QMT_HOME/qmtcode.log`, JSON lines, keys redacted. `level`: QMT_LOG (debug, info, warn, error); default info. */
export function openLogFile(home: string, level = 'info'): LogFile {
  const destination = createDestination(join(home, 'qmtcode.log'))
  const known = level in pino.levels.values ? level : 'info'
  const redact = { paths: ['apiKey', 'api_key', '*.apiKey', '*.api_key', '*.authorization'] }
  const options = { level: known, base: undefined, serializers: { error: describeError }, redact }
  return { logger: toLogger(pino(options, destination)), close: destination.close }
}

interface Destination {
  write(line: string): void
  close(): void
}

/** Each line is written at once. pino's own waits without end for a disk that is full; here that costs lines, not the node. */
function createDestination(file: string): Destination {
  let { fd, bytes } = open(file)
  let isOpen = true
  const rotate = (): void => {
    renameSync(file, `${file}.1`)
    const full = fd
    ;({ fd, bytes } = openForUser(file))
    closeSync(full)
  }
  return {
    write(line) {
      if (!isOpen) return
      try {
        if (bytes + line.length > MAX_BYTES) rotate()
        bytes += writeSync(fd, line)
      } catch {
        // Lost: nobody could be told where.
      }
    },
    close() {
      if (isOpen) closeSync(fd)
      isOpen = false
    },
  }
}

function open(file: string): { fd: number; bytes: number } {
  try {
    return openForUser(file)
  } catch (cause) {
    const hint = 'the file and its directory must be writable for this user'
    throw new AppError('bad_config', `cannot write the log ${file}: ${(cause as Error).message}`, { cause, hint })
  }
}

function openForUser(file: string): { fd: number; bytes: number } {
  const fd = openSync(file, 'a', 0o600)
  const found = fstatSync(fd)
  if (found.isFile() && (found.mode & 0o077) !== 0) fchmodSync(fd, 0o600) // it is older than this rule
  return { fd, bytes: found.size }
}

const MAX_ERROR_CHARS = 2_000
const MAX_CAUSES = 5

/** Its words and those of its causes. What else an error carries may be a whole request. */
function describeError(error: unknown): string {
  if (typeof error === 'string') return error.slice(0, MAX_ERROR_CHARS)
  const words: string[] = []
  for (let at = error; at !== undefined && words.length < MAX_CAUSES; at = at instanceof Error ? at.cause : undefined) {
    words.push(at instanceof Error ? `${at.name}: ${at.message}` : inspect(at, { depth: 1, compact: true }))
  }
  return words.join(' ← ').slice(0, MAX_ERROR_CHARS)
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
