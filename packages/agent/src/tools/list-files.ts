import { stat } from 'node:fs/promises'
import { z } from 'zod'
import type { Environment } from './environment.ts'
import { createFileFilter } from './file-globs.ts'
import { wholeOf } from './left-out.ts'
import { createBoundedOutput } from './output.ts'
import { defineTool } from './types.ts'
import type { Tool, ToolContext } from './types.ts'
import { walkFiles } from './walk-files.ts'

const MAX_FILES = 1_000
const MAX_NAMED = 20

const inputSchema = z.object({
  path: z.string().optional().describe('Directory; default: the workspace'),
  glob: z.string().optional().describe('Only files that match, for example *.ts or src/**, relative to the workspace'),
})

export function createListTool(env: Environment): Tool {
  return defineTool({
    name: 'list_files',
    description: 'List files below a directory, also in its subdirectories. What .gitignore names is left out.',
    inputSchema,
    permission: 'read',
    summary: ({ path }) => `list ${path ?? '.'}`,
    target: ({ path }) => ({ path: path ?? '.' }),
    async execute({ glob }, context) {
      const { path, workspace, signal, callId, hides } = context
      const found = await stat(path.real).catch(() => undefined)
      if (!found?.isDirectory()) return { output: `${path.shown} ${found ? 'is not a directory' : 'does not exist'}`, isError: true }
      const filter = glob === undefined ? () => true : createFileFilter(glob, workspace.root)
      const files: string[] = []
      let truncated = false
      const { complaints, dropped } = await walkFiles({
        root: workspace.root,
        from: path.real,
        env,
        signal,
        onFile(file) {
          if (hides(file) || !filter(file)) return true
          truncated = files.length === MAX_FILES
          if (!truncated) files.push(workspace.locate(file).shown)
          return !truncated
        },
      })
      if (files.length === 0 && complaints !== '') return { output: complaints.trim(), isError: true }
      if (files.length === 0) return { output: await whyNothing(glob, context) }
      if (truncated) files.push(`[more than ${MAX_FILES} files: narrow the path or the glob]`)
      if (dropped.length > 0) files.push(`[${dropped.join(', ')} leaves out all of this; it is listed since it was named]`)
      const output = createBoundedOutput({ directory: workspace.outputDir, name: callId })
      await output.write(files.join('\n'))
      return { output: await output.end() }
    },
  })
}

/** "no files" alone stands only where there are none. */
async function whyNothing(glob: string | undefined, { path, workspace, hides }: ToolContext): Promise<string> {
  const whole = await wholeOf(path.real, hides)
  const named = (files: readonly string[]): string =>
    files
      .slice(0, MAX_NAMED)
      .map((file) => workspace.locate(file).shown)
      .join(', ') + (files.length > MAX_NAMED ? ', …' : '')
  const filter = glob === undefined ? () => true : createFileFilter(glob, workspace.root)
  const ignored = whole.files.filter(filter)
  const notes: string[] = []
  const amount = `${whole.more ? 'more than ' : ''}${ignored.length}`
  if (ignored.length > 0) notes.push(`ignore rules (.gitignore, .ignore) leave out ${amount} files below ${path.shown}: ${named(ignored)}`)
  if (ignored.length === 0 && whole.files.length > 0) {
    notes.push(
      `none of the ${whole.files.length} files below ${path.shown} matches the glob ${glob}, which is relative to the workspace: ${named(whole.files)}`,
    )
  }
  if (whole.links > 0) notes.push(`${whole.links} symbolic links below ${path.shown} are not followed`)
  return notes.length === 0 ? 'no files' : `no files to list\n${notes.join('\n')}`
}
