import type { Environment } from './environment.ts'
import { readMatchLine } from './match-lines.ts'
import type { MatchLine } from './match-lines.ts'
import { runRipgrep } from './ripgrep.ts'

export interface TextSearch {
  pattern: string
  literal: boolean
  ignoreCase: boolean
}

export interface SearchRun {
  search: TextSearch
  /** Absolute. */
  files: readonly string[]
  cwd: string
  env: Environment
  signal: AbortSignal
  /** False: enough. */
  onMatch(match: MatchLine): boolean
}

/** Larger files are not searched: a line of theirs may be as long as the file. */
export const MAX_SEARCHED_BYTES = 10_485_760
const MAX_LINES_A_FILE = 501 // one more than a result shows, so that the cut is seen
const MAX_ARGUMENT_CHARS = 100_000 // well below what any system takes for one process

/** Searches the text of files, in their order. Returns what ripgrep complained of. */
export async function searchFiles(run: SearchRun): Promise<string> {
  const complaints: string[] = []
  let isEnough = false
  for (const files of chunksOf(run.files)) {
    const complaint = await runRipgrep({
      args: [...argumentsOf(run.search), '--', ...files],
      cwd: run.cwd,
      env: run.env,
      signal: run.signal,
      onLine(line) {
        const match = readMatchLine(line)
        isEnough = match !== undefined && !run.onMatch(match)
        return !isEnough
      },
    })
    if (complaint !== '') complaints.push(complaint.trim())
    if (isEnough) break
  }
  return complaints.join('\n')
}

function argumentsOf({ pattern, literal, ignoreCase }: TextSearch): string[] {
  const args = ['--json', '--no-ignore', '--sort=path', `--max-count=${MAX_LINES_A_FILE}`]
  args.push(literal ? '--fixed-strings' : '--engine=auto') // auto: PCRE2 for what Rust's expressions lack, such as look-ahead
  if (ignoreCase) args.push('--ignore-case')
  if (/\n|\\n/.test(pattern)) args.push('--multiline')
  return [...args, '-e', pattern]
}

function chunksOf(files: readonly string[]): string[][] {
  const chunks: string[][] = []
  let room = 0
  for (const file of files) {
    room -= file.length + 1
    if (room < 0) {
      chunks.push([])
      room = MAX_ARGUMENT_CHARS - file.length
    }
    chunks.at(-1)?.push(file)
  }
  return chunks
}
