import { readFile, rename, writeFile } from 'node:fs/promises'
import { AppError } from '@qmtcode/protocol'
import { z } from 'zod'

/** What the person trusted, by workspace and by file; in QMT_HOME. */
export interface TrustedFiles {
  of(root: string): Promise<ReadonlyMap<string, string>>
  /** Replaces the prints of these paths. */
  add(root: string, prints: ReadonlyMap<string, string>): Promise<void>
}

const fileSchema = z.object({
  version: z.literal(1),
  workspaces: z.array(z.object({ root: z.string(), files: z.record(z.string(), z.string()) })),
})

/** The longest unchanged gives way. */
const MAX_WORKSPACES = 1_000

/** Read at first use, and written by this process alone. A file that is damaged is an error, with what to do. */
export function openTrustedFiles(file: string): TrustedFiles {
  let loaded: Promise<Map<string, Map<string, string>>> | undefined
  let writing: Promise<unknown> = Promise.resolve()
  const all = async () => {
    loaded ??= read(file)
    try {
      return await loaded
    } catch (error) {
      loaded = undefined // the person may put it right meanwhile
      throw error
    }
  }
  return {
    of: async (root) => (await all()).get(root) ?? new Map<string, string>(),
    add: async (root, prints) => {
      const workspaces = await all()
      const files = new Map([...(workspaces.get(root) ?? []), ...prints])
      workspaces.delete(root)
      workspaces.set(root, files)
      for (const oldest of workspaces.keys()) if (workspaces.size > MAX_WORKSPACES) workspaces.delete(oldest)
      const written = writing.then(async () => await write(file, workspaces))
      writing = written.catch(() => undefined)
      await written
    },
  }
}

async function read(file: string): Promise<Map<string, Map<string, string>>> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined
    throw new AppError('bad_config', `cannot read ${file}: ${cause.message}`, { cause, hint: `ls -l ${file}` })
  })
  if (text === undefined) return new Map()
  try {
    const { workspaces } = fileSchema.parse(JSON.parse(text))
    return new Map(workspaces.map(({ root, files }) => [root, new Map(Object.entries(files))]))
  } catch (cause) {
    throw new AppError('bad_config', `${file} is corrupt`, { cause, hint: `rm ${file}: no workspace is trusted then` })
  }
}

async function write(file: string, workspaces: ReadonlyMap<string, ReadonlyMap<string, string>>): Promise<void> {
  const listed = Array.from(workspaces, ([root, files]) => ({ root, files: Object.fromEntries(files) }))
  const temporary = `${file}.tmp`
  try {
    await writeFile(temporary, `${JSON.stringify({ version: 1, workspaces: listed })}\n`, { mode: 0o600 })
    await rename(temporary, file)
  } catch (cause) {
    throw new AppError('internal', `cannot write ${file}: ${(cause as Error).message}`, { cause })
  }
}
