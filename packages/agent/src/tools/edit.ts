import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { AppError } from '@qmtcode/protocol'
import { createTwoFilesPatch } from 'diff'
import { z } from 'zod'
import { replaceText } from './replace-text.ts'
import { defineTool } from './types.ts'
import { codeOf } from './workspace.ts'
import type { ResolvedPath } from './workspace.ts'
import { writeAtomic } from './write-atomic.ts'

const MAX_FILE_BYTES = 10_485_760
const MAX_DIFF_CHARS = 4_000

const inputSchema = z.object({
  path: z.string().min(1).describe('File, relative to the workspace'),
  old_string: z.string().describe('The text to replace, exactly as in the file, without line numbers'),
  new_string: z.string().describe('What stands there afterwards'),
  replace_all: z.boolean().optional().describe('Replace every match; otherwise old_string must match once'),
})

export const editTool = defineTool({
  name: 'edit',
  description: 'Replace text in a file. old_string must be exact, white space included, and match once: give lines around it where needed.',
  inputSchema,
  permission: 'edit',
  alsoReads: true,
  summary: ({ path }) => `edit ${path}`,
  target: ({ path }) => ({ path }),
  async execute(input, { path }) {
    const before = await readText(path)
    const replaced = replaceText(before, { oldText: input.old_string, newText: input.new_string, replaceAll: input.replace_all ?? false })
    if (!replaced.ok) return { output: `${path.shown}: ${replaced.problem}`, isError: true }
    await writeAtomic(path.real, replaced.text)
    const times = replaced.count === 1 ? '' : ` (${replaced.count} replacements)`
    return { output: `edited ${path.shown}${times}\n${diffOf(path.shown, before, replaced.text)}` }
  },
})

/** Throws bad_request for what an edit would harm: no plain file, too big, not UTF-8. */
async function readText(path: ResolvedPath): Promise<string> {
  const file = await open(path.real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    throw new AppError('not_found', `${path.shown} does not exist`, { hint: 'to create a file, use write_file' })
  })
  try {
    const info = await file.stat()
    if (!info.isFile()) throw new AppError('bad_request', `${path.shown} is not a plain file`)
    if (info.size > MAX_FILE_BYTES)
      throw new AppError('too_large', `${path.shown} has ${info.size} bytes: edit takes at most ${MAX_FILE_BYTES}`)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await file.readFile())
    } catch (cause) {
      throw new AppError('bad_request', `${path.shown} is not UTF-8 text: an edit would damage it`, { cause })
    }
  } finally {
    await file.close()
  }
}

function diffOf(name: string, before: string, after: string): string {
  const patch = createTwoFilesPatch(name, name, before, after, undefined, undefined, { context: 3, timeout: 500 })
  if (patch === undefined) return '[the change is too large to show]'
  const body = patch.slice(patch.indexOf('---'))
  return body.length > MAX_DIFF_CHARS ? `${body.slice(0, MAX_DIFF_CHARS)}\n… [the rest of the diff is not shown]` : body
}
