import { createWriteStream } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'

export const MAX_OUTPUT_CHARS = 50_000
export const MAX_OUTPUT_LINES = 2_000
const MAX_FILE_CHARS = 33_554_432 // a runaway command fills no disk

/** Text that may be endless: its head and tail are kept, the whole goes to a file as soon as it is too long. */
export interface BoundedOutput {
  /** Resolves when more may be written. */
  write(text: string): Promise<void>
  /** What the model gets. Closes the file. */
  end(): Promise<string>
}

export function createBoundedOutput(options: { directory: string; name: string }): BoundedOutput {
  const path = join(options.directory, `${options.name.replace(/[^\w.-]/g, '_').slice(0, 100)}.txt`)
  let all = ''
  let cut: { head: string; tail: string; chars: number; lines: number } | undefined
  let file: SpillFile | undefined

  const overflow = async (): Promise<void> => {
    await mkdir(options.directory, { recursive: true, mode: 0o700 })
    file = openSpill(path)
    await file.write(all)
    const head = headOf(all)
    cut = { head, tail: tailOf(all.slice(head.length)), chars: all.length, lines: countLines(all) }
    all = ''
  }

  return {
    async write(text) {
      if (!cut) {
        all += text
        if (all.length > MAX_OUTPUT_CHARS || countLines(all) > MAX_OUTPUT_LINES) await overflow()
        return
      }
      cut.chars += text.length
      cut.lines += countLines(text)
      cut.tail = tailOf(cut.tail + text)
      await file?.write(text)
    },
    async end() {
      if (!cut) return all
      await file?.end()
      const { head, tail, chars, lines } = cut
      const leftOut = chars - head.length - tail.length
      const whole = file?.failed() ?? `the whole output is in ${path}: read_file it with offset and limit, or search_text in it`
      return `${head}\n\n… [${leftOut} of ${chars} characters left out here, ${lines} lines in all; ${whole}] …\n\n${tail}`
    },
  }
}

interface SpillFile {
  write(text: string): Promise<void>
  end(): Promise<void>
  /** Why the file does not hold the whole. */
  failed(): string | undefined
}

function openSpill(path: string): SpillFile {
  const stream: WriteStream = createWriteStream(path, { mode: 0o600 })
  let failure: string | undefined
  let written = 0
  stream.on('error', (error) => (failure = `the whole output could not be kept: ${error.message}`))
  return {
    async write(text) {
      if (failure !== undefined) return
      written += text.length
      if (written > MAX_FILE_CHARS) {
        failure = `the first ${MAX_FILE_CHARS} characters are in ${path}`
        return
      }
      // An error closes the stream: neither may leave the writer waiting.
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), once(stream, 'close')]).catch(() => {})
    },
    async end() {
      if (stream.closed) return
      const closed = once(stream, 'close').catch(() => {})
      stream.end()
      await closed
    },
    failed: () => failure,
  }
}

function countLines(text: string): number {
  let lines = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1
  return lines
}

function headOf(text: string): string {
  const head = text.slice(0, MAX_OUTPUT_CHARS / 2)
  let at = -1
  for (let line = 0; line < MAX_OUTPUT_LINES / 2; line += 1) {
    at = head.indexOf('\n', at + 1)
    if (at === -1) return head
  }
  return head.slice(0, at + 1)
}

function tailOf(text: string): string {
  const tail = text.slice(-MAX_OUTPUT_CHARS / 2)
  let at = tail.length
  for (let line = 0; line <= MAX_OUTPUT_LINES / 2; line += 1) {
    if (at <= 0) return tail
    at = tail.lastIndexOf('\n', at - 1)
    if (at === -1) return tail
  }
  return tail.slice(at + 1)
}
