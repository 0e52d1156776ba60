import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'

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
  let chars = 0
  let lines = 0
  let cut: { head: string; tail: string; file: SpillFile } | undefined

  const put = async (text: string): Promise<void> => {
    chars += text.length
    lines += countLines(text)
    if (cut) {
      cut.tail = tailOf(cut.tail + text)
      return await cut.file.write(text)
    }
    all += text
    if (chars <= MAX_OUTPUT_CHARS && lines <= MAX_OUTPUT_LINES) return
    const head = headOf(all)
    cut = { head, tail: tailOf(all.slice(head.length)), file: await openSpill(path) }
    await cut.file.write(all)
    all = ''
  }
  // Output and errors of a command write at the same time: one after the other, also over the opening of the file.
  let last = Promise.resolve()
  return {
    write: async (text) => await (last = last.then(async () => await put(text))),
    async end() {
      await last
      if (!cut) return all
      const { head, tail, file } = cut
      const whole = (await file.close()) ?? `the whole output is in ${path}: read_file it with offset and limit, or search_text in it`
      const leftOut = chars - head.length - tail.length
      return `${head}\n\n… [${leftOut} of ${chars} characters left out here, ${lines} lines in all; ${whole}] …\n\n${tail}`
    },
  }
}

interface SpillFile {
  write(text: string): Promise<void>
  /** Why the file does not hold the whole, if it does not. */
  close(): Promise<string | undefined>
}

/** Never throws: a full disk costs the file, not the result. */
async function openSpill(path: string): Promise<SpillFile> {
  let failure: string | undefined
  let written = 0
  const lost = (error: unknown): undefined => {
    failure ??= `the whole output could not be kept: ${error instanceof Error ? error.message : String(error)}`
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch(lost)
  const file = await open(path, 'w', 0o600).catch(lost)
  return {
    async write(text) {
      if (!file || failure !== undefined) return
      written += text.length
      if (written > MAX_FILE_CHARS) failure = `its beginning is in ${path}, the rest was too long to keep`
      else await file.appendFile(text).catch(lost)
    },
    async close() {
      await file?.close().catch(lost)
      return failure
    },
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
