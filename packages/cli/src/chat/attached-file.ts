import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { peerIdSchema, sessionIdSchema } from '@qmtcode/protocol'
import { z } from 'zod'

const MAX_ATTACHED = 20

const attachedSchema = z.object({
  /** The host, as this node calls it. Absent, with `peerId`: this node. */
  node: z.string().min(1).max(200).optional(),
  peerId: peerIdSchema.optional(),
  sessionId: sessionIdSchema,
  title: z.string(),
  /** The last event that was seen. */
  seq: z.int().nonnegative(),
  at: z.number(),
})
export type Attached = z.infer<typeof attachedSchema>

const fileSchema = z.object({ version: z.literal(1), attached: z.array(attachedSchema).max(MAX_ATTACHED) })

/** What this QMT_HOME was attached to, the latest first. */
export interface AttachedSessions {
  list(): Promise<Attached[]>
  /** Takes the place of what is known of that session. */
  note(attached: Attached): Promise<void>
}

/** A small file, mode 0600, replaced in one step. One that cannot be read is set aside, and `notice` says so. */
export function openAttachedFile({ file, notice }: { file: string; notice(line: string): void }): AttachedSessions {
  const list = async (): Promise<Attached[]> => {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return []
    const { data, success } = fileSchema.safeParse(parsed(text))
    if (success) return data.attached
    await rename(file, `${file}.damaged`)
    notice(`${file} cannot be read: what was attached before is forgotten; it is kept as ${file}.damaged`)
    return []
  }
  return {
    list,
    note: async (attached) => {
      const others = (await list()).filter((one) => one.sessionId !== attached.sessionId || one.peerId !== attached.peerId)
      const content = { version: 1, attached: [{ ...attached, title: attached.title.slice(0, 200) }, ...others].slice(0, MAX_ATTACHED) }
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      const temporary = `${file}.${randomUUID().slice(0, 8)}.tmp`
      try {
        await using handle = await open(temporary, 'wx', 0o600)
        await handle.writeFile(`${JSON.stringify(content, undefined, 2)}\n`)
        await handle.sync()
        await rename(temporary, file)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
