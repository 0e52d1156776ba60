import { copyFile, mkdir, open, readFile, readdir } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'
import { entrySchema } from '../gossip/entry.ts'
import type { GossipEntry } from '../gossip/types.ts'
import { replaceFile } from '../identity/replace-file.ts'

/** The board on disk: one entry a line, the later of a key counts. What was resolved is there after a power cut. */
export interface BoardFile {
  /** As they were when it was opened. */
  readonly entries: readonly GossipEntry[]
  /** Copies of the file from when it was damaged, until a person removes them. */
  readonly damaged: readonly string[]
  /** Resolves when it is on disk. `taken` runs once it is, before anything else is written: what holds then is what a rewrite asks for. */
  append(entry: GossipEntry, taken: () => void): Promise<void>
  /** Writes it anew with what `held` gives when its turn comes; for when most lines are outdated. One at a time: a second call joins it. */
  rewrite(held: () => Iterable<GossipEntry>): Promise<void>
  /** Lines in the file now. */
  readonly lines: number
  close(): Promise<void>
}

const LINE_START = '{"key":"'

/** Opens or creates it, mode 0600. Lines that are none are taken out, and the file as it was is kept beside it. */
export async function openBoardFile({ file, log }: { file: string; log: Logger }): Promise<BoardFile> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const { entries, bad, lines: found, isWhole } = readLines(await textOf(file))
  if (bad > 0) {
    const kept = await keepAside(file)
    log.warn('the board has lines that cannot be read; they are left out, the file as it was is kept', { bad, kept })
  }
  const isMended = bad > 0 || !isWhole
  if (isMended) await replaceLines(file, entries)
  const damaged = await keptCopies(file)
  let handle = await openAt(file)
  let lines = isMended ? entries.length : found
  let writing: Promise<unknown> = Promise.resolve()
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
    await replaceLines(file, fresh)
    await handle.close()
    handle = await openAt(file)
    lines = fresh.length
  }
  return {
    entries,
    damaged,
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

const replaceLines = (file: string, entries: readonly GossipEntry[]): Promise<void> =>
  replaceFile(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))

const keptCopies = async (file: string): Promise<string[]> =>
  (await readdir(dirname(file)))
    .filter((name) => name.startsWith(`${basename(file)}.damaged`))
    .toSorted()
    .map((name) => join(dirname(file), name))

/** Never over an earlier copy: a person may not have looked at that yet. */
async function keepAside(file: string): Promise<string> {
  const taken = await keptCopies(file)
  let kept = `${file}.damaged`
  for (let at = 2; taken.includes(kept); at += 1) kept = `${file}.damaged-${at}`
  await copyFile(file, kept)
  return kept
}

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

/** A last line without its end is one that a crash cut, if it begins as one: nobody was told that it is there. */
function readLines(text: string): { entries: GossipEntry[]; bad: number; lines: number; isWhole: boolean } {
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  const isCut = last !== '' && LINE_START.startsWith(last.slice(0, LINE_START.length)) && !entryOf(last)
  if (last !== '' && !isCut) lines.push(last)
  const byKey = new Map<string, GossipEntry>()
  let bad = 0
  for (const line of lines) {
    if (line === '') continue
    const entry = entryOf(line)
    if (!entry) bad += 1
    else if (entry.version >= (byKey.get(entry.key)?.version ?? 0)) byKey.set(entry.key, entry)
  }
  return { entries: [...byKey.values()], bad, lines: lines.length, isWhole: last === '' }
}

function entryOf(line: string): GossipEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}
