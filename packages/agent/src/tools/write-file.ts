import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { inFormOf } from './text-form.ts'
import { defineTool } from './types.ts'
import { writeAtomic } from './write-atomic.ts'

const MAX_FORM_BYTES = 65_536

const inputSchema = z.object({
  path: z.string().min(1).describe('File, relative to the workspace'),
  content: z.string().describe('The whole new text of the file'),
})

export const writeFileTool = defineTool({
  name: 'write_file',
  description: 'Create a file, or replace the whole of one. Directories above it are made. To change a part of a file, use edit.',
  inputSchema,
  permission: 'edit',
  summary: ({ path, content }) => `write ${path} (${content.length} characters)`,
  target: ({ path }) => ({ path }),
  async execute({ content }, { path }) {
    const before = await oldBytes(path.real)
    const { text, notes } = inFormOf(before ?? new Uint8Array(), content)
    await writeAtomic(path.real, text)
    const lines = content === '' ? 0 : content.split('\n').length - (content.endsWith('\n') ? 1 : 0)
    const note = notes.map((said) => `; ${said}`).join('')
    return { output: `${before ? 'replaced' : 'created'} ${path.shown} (${lines} lines)${note}` }
  },
})

/** The first bytes of a file, enough to know its form. Undefined: there is none. What is no plain file has none to keep: writing says what it is. */
async function oldBytes(path: string): Promise<Uint8Array | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined)
  if (!file) return undefined
  try {
    if (!(await file.stat()).isFile()) return new Uint8Array()
    const buffer = new Uint8Array(MAX_FORM_BYTES)
    const { bytesRead } = await file.read(buffer, 0, MAX_FORM_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
