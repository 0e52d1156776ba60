import { appendFile, chmod, open, rename, stat } from 'node:fs/promises'
import { AppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'

const MAX_BYTES = 10_485_760
/** Older files: `audit.jsonl.1` is the newest of them. */
export const KEPT_FILES = 3
/** Beyond this a disk is stuck, and lines are lost rather than memory. */
const MAX_WAITING = 10_000
const GATHER_MS = 50

/** Lines on their way to a file that has a bound. Nothing here waits for the disk. */
export interface AuditFile {
  write(line: object): void
  /** Resolves when all is written, or cannot be. */
  close(): Promise<void>
}

/** Throws bad_config for a file that cannot be written. Mode 0600, whatever it was. */
export async function openAuditFile(file: string, components: { log: Logger }, options: { maxBytes?: number } = {}): Promise<AuditFile> {
  const { maxBytes = MAX_BYTES } = options
  let bytes = await prepare(file)
  let waiting: string[] = []
  let lost = 0
  let isTold = false
  let writing: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  async function append(text: string): Promise<void> {
    const size = Buffer.byteLength(text)
    if (bytes > 0 && bytes + size > maxBytes) {
      await rotate(file)
      bytes = await prepare(file)
    }
    await appendFile(file, text, { mode: 0o600 })
    bytes += size
  }
  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const lines = takeUpTo(waiting, maxBytes / 4)
      waiting = waiting.slice(lines.length)
      try {
        await append(lines.join(''))
        isTold = false
      } catch (error) {
        lost += lines.length
        if (!isTold) components.log.error('cannot write the audit', { file, error })
        isTold = true
      }
    }
    if (lost > 0 && !isTold) components.log.error('lines of the audit were lost', { file, lost: takeLost() })
  }
  const takeLost = (): number => {
    const count = lost
    lost = 0
    return count
  }
  const begin = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(drain)
    return writing
  }
  const later = (): void => {
    const onTime = (): void => {
      begin().catch((error: unknown) => components.log.error('the audit has stopped', { error }))
    }
    timer = setTimeout(onTime, GATHER_MS).unref()
  }
  return {
    write(line) {
      if (waiting.length >= MAX_WAITING) {
        lost += 1
        return
      }
      waiting.push(`${JSON.stringify(line)}\n`)
      if (!timer) later()
    },
    close: begin,
  }
}

function takeUpTo(lines: readonly string[], bytes: number): string[] {
  let size = 0
  const end = lines.findIndex((line, index) => (size += line.length) > bytes && index > 0)
  return end < 0 ? [...lines] : lines.slice(0, end)
}

async function prepare(file: string): Promise<number> {
  try {
    const handle = await open(file, 'a', 0o600)
    await handle.close()
    await chmod(file, 0o600) // it may be older than this rule
    return (await stat(file)).size
  } catch (cause) {
    throw new AppError('bad_config', `cannot write the audit ${file}: ${(cause as Error).message}`, {
      cause,
      hint: 'the file and its directory must be writable for this user',
    })
  }
}

async function rotate(file: string): Promise<void> {
  for (let kept = KEPT_FILES - 1; kept >= 1; kept -= 1) await rename(`${file}.${kept}`, `${file}.${kept + 1}`).catch(ignoreMissing)
  await rename(file, `${file}.1`)
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
