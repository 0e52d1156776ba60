import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'
import { z } from 'zod'

const unseenSchema = z.object({
  path: z.string(),
  isWhole: z.boolean(),
  by: z.string(),
  id: z.number(),
  since: z.number(),
  last: z.number(),
  isRunning: z.boolean().optional(),
})
const lostSchema = z.object({ path: z.string(), isWhole: z.boolean(), from: z.number(), to: z.number() })
const stateSchema = z.object({ version: z.literal(1), nextId: z.number(), unseen: z.array(unseenSchema), lost: z.array(lostSchema) })

export type GuestFilesState = z.infer<typeof stateSchema>

/** The file in QMT_HOME. It is written by this process alone, one write after the other. */
export interface GuestFilesStore {
  /** The one state, to be changed in place. */
  state(): Promise<GuestFilesState>
  /** Resolves when all that the state says by now is on disk. */
  save(): Promise<void>
}

/** A file that cannot be read might have said anything: then all files here are taken for guests'. */
export function openGuestFilesStore(file: string, { log, now }: { log: Logger; now(): number }): GuestFilesStore {
  let loaded: Promise<GuestFilesState> | undefined
  let writing: Promise<unknown> = Promise.resolve()
  return {
    state: async () => {
      loaded ??= read(file, log, now())
      return await loaded
    },
    save: async () => {
      const written = writing.then(async () => {
        if (loaded) await write(file, await loaded)
      })
      writing = written.catch(() => undefined)
      await written
    },
  }
}

async function read(file: string, log: Logger, now: number): Promise<GuestFilesState> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : ''))
  if (text === undefined) return { version: 1, nextId: 1, unseen: [], lost: [] }
  try {
    const state = stateSchema.parse(JSON.parse(text))
    // A command that was running when the node ended may have written anything there, until now.
    const unseen = state.unseen.map(({ isRunning, ...one }) => (isRunning === true ? { ...one, last: now } : one))
    return { ...state, unseen }
  } catch (error) {
    log.warn('guest_files.json cannot be read: every file counts as written by a guest until you allow it', { file, error: String(error) })
    const all = { path: '/', isWhole: true, by: 'unknown: guest_files.json cannot be read', id: now, since: now, last: now }
    return { version: 1, nextId: now + 1, unseen: [all], lost: [] }
  }
}

async function write(file: string, state: GuestFilesState): Promise<void> {
  const temporary = `${file}.tmp`
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(temporary, `${JSON.stringify(state)}\n`, { mode: 0o600 })
    await rename(temporary, file)
  } catch (cause) {
    throw new AppError('internal', `cannot write ${file}: ${(cause as Error).message}`, { cause })
  }
}
