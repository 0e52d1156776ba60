import { copyFile, mkdir, open, readFile, rename } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'
import { entrySchema } from '../gossip/entry.ts'
import type { GossipEntry } from '../gossip/types.ts'

/** The board on disk: one entry a line, the later of a key counts. What was resolved is there after a power cut. */
export interface BoardFile {
  /** As they were when it was opened. */
  readonly entries: readonly GossipEntry[]
  /** Resolves when it is on disk. `taken` runs once it is, before anything else is written: what holds then is what a rewrite asks for. */
  append(entry: GossipEntry, taken: () => void): Promise<void>
  /** Writes it anew with what `held` gives when its turn comes; for when most lines are outdated. One at a time: a second call joins it. */
  rewrite(held: () => Iterable<GossipEntry>): Promise<void>
  /** Lines in the file now. */
  readonly lines: number
  close(): Promise<void>
}

/** Opens or creates it, mode 0600. Lines that are none are left out, and the file as it was is kept beside it. */
export async function openBoardFile({ file, log }: { file: string; log: Logger }): Promise<BoardFile> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const { entries, bad, lines: found, endsInLine } = readLines(await textOf(file))
  if (bad > 0) {
    await copyFile(file, `${file}.damaged`)
    log.warn('the board has lines that cannot be read; they are left out, the file as it was is kept', { bad, kept: `${file}.damaged` })
  }
  let handle = await openAt(file)
  let lines = found
  let writing: Promise<unknown> = endsInLine ? Promise.resolve() : handle.appendFile('\n')
  writing.catch(() => {}) // heard of with the next write
  let waiting: { text: string; taken: () => void; done: PromiseWithResolvers<void> }[] = []
  let rewriting: Promise<void> | undefined

  const next = <T>(work: () => Promise<T>): Promise<T> => {
    const result = writing.then(work, work)
    writing = result.catch(() => {})
    return result
  }
  /** All that waits is one write and one sync. */
  async function flush(): Promise<void> {
    const batch = waiting
    waiting = []
    if (batch.length === 0) return
    try {
      await handle.appendFile(batch.map(({ text }) => text).join(''))
      await handle.datasync()
      lines += batch.length
      for (const { taken, done } of batch) {
        taken()
        done.resolve()
      }
    } catch (error) {
      for (const { done } of batch) done.reject(unwritten(file, error))
    }
  }
  async function writeAnew(held: () => Iterable<GossipEntry>): Promise<void> {
    const fresh = [...held()]
    const temporary = await open(`${file}.new`, 'w', 0o600)
    try {
      await temporary.writeFile(fresh.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      await temporary.sync()
    } finally {
      await temporary.close()
    }
    await rename(`${file}.new`, file)
    await handle.close()
    handle = await openAt(file)
    lines = fresh.length
  }
  return {
    entries,
    get lines() {
      return lines
    },
    async append(entry, taken) {
      const done = Promise.withResolvers<void>()
      waiting.push({ text: `${JSON.stringify(entry)}\n`, taken, done })
      await Promise.all([done.promise, next(flush)])
    },
    rewrite: (held) => (rewriting ??= next(() => writeAnew(held)).finally(() => (rewriting = undefined))),
    close: () => next(async () => await handle.close()),
  }
}

const unwritten = (file: string, cause: unknown): AppError =>
  isAppError(cause) ? cause : new AppError('internal', `cannot write ${file}: ${toAppError(cause).message}`, { cause })

async function openAt(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'a', 0o600)
  } catch (error) {
    throw new AppError('bad_config', `cannot open ${file}: ${toAppError(error).message}`, { cause: error })
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new AppError('bad_config', `cannot read ${file}: ${toAppError(error).message}`, { cause: error })
  }
}

/** A last line without its end is one that a crash cut: nobody was told that it is there. */
function readLines(text: string): { entries: GossipEntry[]; bad: number; lines: number; endsInLine: boolean } {
  const lines = text.split('\n')
  const cut = lines.pop() ?? ''
  const byKey = new Map<string, GossipEntry>()
  let bad = 0
  for (const line of lines) {
    if (line === '') continue
    const entry = entryOf(line)
    if (!entry) bad += 1
    else if (entry.version >= (byKey.get(entry.key)?.version ?? 0)) byKey.set(entry.key, entry)
  }
  return { entries: [...byKey.values()], bad, lines: lines.length, endsInLine: cut === '' }
}

function entryOf(line: string): GossipEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}
