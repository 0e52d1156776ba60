import { resolve } from 'node:path'
import { z } from 'zod'
import type { Environment } from './environment.ts'
import { createBoundedOutput } from './output.ts'
import { runRipgrep } from './ripgrep.ts'
import { defineTool } from './types.ts'
import type { Tool, ToolContext, ToolResult } from './types.ts'

const MAX_MATCHES = 500
const MAX_LINE_CHARS = 300

const inputSchema = z.object({
  pattern: z.string().min(1).describe('Regular expression (Rust syntax), or plain text with literal'),
  path: z.string().optional().describe('Directory or file; default: the workspace'),
  glob: z.string().optional().describe('Only files that match, for example *.ts or src/**'),
  literal: z.boolean().optional(),
  ignore_case: z.boolean().optional(),
})

export function createSearchTool(env: Environment): Tool {
  return defineTool({
    name: 'search_text',
    description: 'Search the text of files. What .gitignore names, files over 10 MB and binary files are left out.',
    inputSchema,
    permission: 'read',
    summary: ({ pattern, path }) => `search for ${pattern} in ${path ?? '.'}`,
    target: ({ path }) => ({ path: path ?? '.' }),
    execute: async (input, context) => await search(input, env, context),
  })
}

async function search(input: z.infer<typeof inputSchema>, env: Environment, context: ToolContext): Promise<ToolResult> {
  const args = ['--json', '--hidden', '--no-require-git', '--sort=path', '--max-filesize=10M', `--max-count=${MAX_MATCHES}`]
  if (input.glob !== undefined) args.push(`--glob=${input.glob}`)
  if (input.literal === true) args.push('--fixed-strings')
  if (input.ignore_case === true) args.push('--ignore-case')
  args.push('--glob=!.git') // last, so that it holds against the model's glob
  const lines: string[] = []
  let truncated = false
  const complaints = await runRipgrep({
    args: [...args, '-e', input.pattern, '--', context.path.real],
    cwd: context.workspace.root,
    env,
    signal: context.signal,
    onLine(line) {
      const match = matchOf(line)
      if (!match || context.hides(resolve(context.workspace.root, match.path))) return true
      if (lines.length === MAX_MATCHES) {
        truncated = true
        return false
      }
      lines.push(`${context.workspace.locate(match.path).shown}:${match.line}: ${match.text}`)
      return true
    },
  })
  if (lines.length === 0 && complaints !== '') return { output: `the search failed: ${complaints.trim()}`, isError: true }
  if (lines.length === 0) return { output: 'no matches' }
  if (truncated) lines.push(`[more than ${MAX_MATCHES} matches: narrow the pattern, the path or the glob]`)
  if (complaints !== '') lines.push(`[some files could not be searched: ${complaints.trim()}]`)
  const output = createBoundedOutput({ directory: context.workspace.outputDir, name: context.callId })
  await output.write(lines.join('\n'))
  return { output: await output.end() }
}

const matchSchema = z.object({
  type: z.literal('match'),
  data: z.object({ path: z.object({ text: z.string() }), line_number: z.number(), lines: z.object({ text: z.string() }) }),
})

/** Lines that are no match, and names or text that are not UTF-8, give none. */
function matchOf(line: string): { path: string; line: number; text: string } | undefined {
  if (!line.startsWith('{"type":"match"')) return undefined
  const parsed = matchSchema.safeParse(JSON.parse(line))
  if (!parsed.success) return undefined
  const { path, line_number, lines } = parsed.data.data
  const text = lines.text.trimEnd()
  return { path: path.text, line: line_number, text: text.length > MAX_LINE_CHARS ? `${text.slice(0, MAX_LINE_CHARS)}…` : text }
}
