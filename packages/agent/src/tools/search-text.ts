import { stat } from 'node:fs/promises'
import { z } from 'zod'
import type { Environment } from './environment.ts'
import { createFileFilter } from './file-globs.ts'
import { wholeOf } from './left-out.ts'
import { createBoundedOutput } from './output.ts'
import { MAX_SEARCHED_BYTES, searchFiles } from './search-files.ts'
import type { TextSearch } from './search-files.ts'
import { defineTool } from './types.ts'
import type { Tool, ToolContext, ToolResult } from './types.ts'
import { walkFiles } from './walk-files.ts'

const MAX_MATCHES = 500
const MAX_NAMED = 20
const MAX_WALKED = 200_000

const inputSchema = z.object({
  pattern: z.string().min(1).describe('Regular expression (Rust syntax), or plain text with literal'),
  path: z.string().optional().describe('Directory or file; default: the workspace'),
  glob: z.string().optional().describe('Only files that match, for example *.ts or src/**, relative to the workspace'),
  literal: z.boolean().optional(),
  ignore_case: z.boolean().optional(),
})

export function createSearchTool(env: Environment): Tool {
  return defineTool({
    name: 'search_text',
    description:
      'Search the text of files. What .gitignore names and files over 10 MB are left out; where nothing is found, the result says what was.',
    inputSchema,
    permission: 'read',
    summary: ({ pattern, path }) => `search for ${pattern} in ${path ?? '.'}`,
    target: ({ path }) => ({ path: path ?? '.' }),
    execute: async (input, context) => await search(input, env, context),
  })
}

interface Found {
  lines: string[]
  truncated: boolean
  complaints: string
}

async function search(input: z.infer<typeof inputSchema>, env: Environment, context: ToolContext): Promise<ToolResult> {
  if (!(await stat(context.path.real).catch(() => undefined))) return { output: `${context.path.shown} does not exist`, isError: true }
  const text = { pattern: input.pattern, literal: input.literal === true, ignoreCase: input.ignore_case === true }
  const filter = input.glob === undefined ? () => true : createFileFilter(input.glob, context.workspace.root)
  const files: string[] = []
  const walk = await walkFiles({
    root: context.workspace.root,
    from: context.path.real,
    env,
    signal: context.signal,
    maxBytes: MAX_SEARCHED_BYTES,
    onFile(path) {
      if (filter(path) && !context.hides(path)) files.push(path)
      return files.length < MAX_WALKED
    },
  })
  const found = await findIn(files, text, { env, context })
  if (found.lines.length === 0 && found.complaints !== '') return { output: `the search failed: ${found.complaints}`, isError: true }
  if (found.lines.length === 0) return { output: await whyNothing({ text, glob: input.glob, files, filter }, env, context) }
  const lines = [...found.lines]
  if (found.truncated) lines.push(`[more than ${MAX_MATCHES} matches: narrow the pattern, the path or the glob]`)
  const complaints = [walk.complaints.trim(), found.complaints].filter((part) => part !== '').join('\n')
  if (complaints !== '') lines.push(`[some files could not be searched: ${complaints}]`)
  const output = createBoundedOutput({ directory: context.workspace.outputDir, name: context.callId })
  await output.write(lines.join('\n'))
  return { output: await output.end() }
}

async function findIn(files: readonly string[], text: TextSearch, run: { env: Environment; context: ToolContext }): Promise<Found> {
  const { env, context } = run
  const lines: string[] = []
  let truncated = false
  const complaints = await searchFiles({
    search: text,
    files,
    cwd: context.workspace.root,
    env,
    signal: context.signal,
    onMatch({ path, shown }) {
      for (const one of shown) {
        truncated = lines.length === MAX_MATCHES
        if (truncated) return false
        lines.push(`${context.workspace.locate(path).shown}:${one}`)
      }
      return true
    },
  })
  return { lines, truncated, complaints }
}

interface Nothing {
  text: TextSearch
  glob?: string
  files: readonly string[]
  filter(path: string): boolean
}

/** "no matches" alone stands only where nothing of this text is there: a model that reads it concludes that the code does not exist. */
async function whyNothing({ text, glob, files, filter }: Nothing, env: Environment, context: ToolContext): Promise<string> {
  const shown = (path: string): string => context.workspace.locate(path).shown
  const named = async (paths: readonly string[], search: TextSearch): Promise<string[]> => {
    const names = new Set<string>()
    await searchFiles({
      search,
      files: paths,
      cwd: context.workspace.root,
      env,
      signal: context.signal,
      onMatch({ path }) {
        names.add(shown(path))
        return names.size < MAX_NAMED
      },
    })
    return [...names]
  }
  const whole = await wholeOf(context.path.real, context.hides)
  const searched = new Set(files)
  const large = await oversized(whole.files)
  const leftOut = whole.files.filter((path) => !searched.has(path) && !large.includes(path))
  const notes: string[] = []
  const note = (sentence: string, names: readonly string[]): void => {
    if (names.length > 0) notes.push(`${sentence}: ${names.slice(0, MAX_NAMED).join(', ')}`)
  }
  if (glob !== undefined && files.length === 0 && whole.files.length > 0) {
    notes.push(`no file below ${context.path.shown} matches the glob ${glob}, which is relative to the workspace`)
  }
  if (!text.ignoreCase) note('in another case (ignore_case) it is in', await named(files, { ...text, ignoreCase: true }))
  note('it is in files that ignore rules leave out (name one as path to search it)', await named(leftOut.filter(filter), text))
  if (glob !== undefined)
    note(
      `it is in files that the glob ${glob} leaves out`,
      await named(
        leftOut.filter((path) => !filter(path)),
        text,
      ),
    )
  note(`not searched, over ${MAX_SEARCHED_BYTES / 1_048_576} MB`, large.filter(filter).map(shown))
  if (whole.more) notes.push('there are more files than were looked at: narrow the path')
  return notes.length === 0 ? 'no matches' : `no matches in the ${files.length} files that were searched\n${notes.join('\n')}`
}

async function oversized(files: readonly string[]): Promise<string[]> {
  const large: string[] = []
  for (const file of files) {
    const size = (await stat(file).catch(() => undefined))?.size ?? 0
    if (size > MAX_SEARCHED_BYTES) large.push(file)
  }
  return large
}
