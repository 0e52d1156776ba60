import { lstat } from 'node:fs/promises'
import { z } from 'zod'
import { defineTool } from './types.ts'
import { writeAtomic } from './write-atomic.ts'

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
    const existed = await lstat(path.real).then(
      () => true,
      () => false,
    )
    await writeAtomic(path.real, content)
    const lines = content === '' ? 0 : content.split('\n').length - (content.endsWith('\n') ? 1 : 0)
    return { output: `${existed ? 'replaced' : 'created'} ${path.shown} (${lines} lines)` }
  },
})
