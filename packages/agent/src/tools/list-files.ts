import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { Environment } from './environment.ts'
import { createBoundedOutput } from './output.ts'
import { runRipgrep } from './ripgrep.ts'
import { defineTool } from './types.ts'
import type { Tool } from './types.ts'

const MAX_FILES = 1_000

const inputSchema = z.object({
  path: z.string().optional().describe('Directory; default: the workspace'),
  glob: z.string().optional().describe('Only files that match, for example *.ts or src/**'),
})

export function createListTool(env: Environment): Tool {
  return defineTool({
    name: 'list_files',
    description: 'List files below a directory, also in its subdirectories. What .gitignore names is left out.',
    inputSchema,
    permission: 'read',
    summary: ({ path }) => `list ${path ?? '.'}`,
    target: ({ path }) => ({ path: path ?? '.' }),
    async execute({ glob }, { path, workspace, signal, callId, hides }) {
      const found = await stat(path.real).catch(() => undefined)
      if (!found?.isDirectory()) return { output: `${path.shown} ${found ? 'is not a directory' : 'does not exist'}`, isError: true }
      const files: string[] = []
      let truncated = false
      const globs = [...(glob === undefined ? [] : [`--glob=${glob}`]), '--glob=!.git']
      const complaints = await runRipgrep({
        args: ['--files', '--hidden', '--no-require-git', '--sort=path', ...globs, '--', path.real],
        cwd: workspace.root,
        env,
        signal,
        onLine(line) {
          if (line === '' || hides(resolve(workspace.root, line))) return true
          truncated = files.length === MAX_FILES
          if (!truncated) files.push(workspace.locate(line).shown)
          return !truncated
        },
      })
      if (files.length === 0) return { output: complaints === '' ? 'no files' : complaints.trim(), isError: complaints !== '' }
      if (truncated) files.push(`[more than ${MAX_FILES} files: narrow the path or the glob]`)
      const output = createBoundedOutput({ directory: workspace.outputDir, name: callId })
      await output.write(files.join('\n'))
      return { output: await output.end() }
    },
  })
}
