import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from './environment.ts'
import { ignoreRulesAbove } from './ignore-rules.ts'
import type { IgnoreRules } from './ignore-rules.ts'
import { runRipgrep } from './ripgrep.ts'

export interface FileWalk {
  /** Of the workspace; absolute and real. */
  root: string
  /** Where the walk starts: a directory or a file, absolute and real. */
  from: string
  env: Environment
  signal: AbortSignal
  /** Larger files are left out. Default: none is. */
  maxBytes?: number
  /** Each file, absolute, by its path's order. False: enough. */
  onFile(path: string): boolean
}

export interface WalkEnd {
  /** What ripgrep complained of: directories that cannot be read. Empty: nothing. */
  complaints: string
  /** Files whose rules above the start left out everything below it, and so were not applied. */
  dropped: string[]
}

/** What every walk has: hidden files count, `.git` does not, and rules of the machine or of directories above the repository hide nothing. */
const WALK_ARGS = ['--hidden', '--no-require-git', '--no-ignore-parent', '--no-ignore-global', '--glob=!.git']

/** Every file below `from` that ignore rules of its repository leave. A start that those rules leave out whole was named on purpose: it is walked without them. */
export async function walkFiles(walk: FileWalk): Promise<WalkEnd> {
  const rules = await ignoreRulesAbove(walk.root, walk.from)
  let files = 0
  const onFile = (path: string): boolean => {
    files += 1
    return walk.onFile(path)
  }
  const complaints = await walkOnce({ ...walk, onFile }, rules)
  if (files > 0 || rules.patterns.length === 0) return { complaints, dropped: [] }
  const again = await walkOnce({ ...walk, onFile }, { base: rules.base, patterns: [] })
  return { complaints: again, dropped: files === 0 ? [] : rules.files }
}

async function walkOnce(walk: FileWalk, { base, patterns }: Pick<IgnoreRules, 'base' | 'patterns'>): Promise<string> {
  const directory = patterns.length > 0 ? await mkdtemp(join(tmpdir(), 'qmt-ignore-')) : undefined
  try {
    const rules: string[] = []
    if (directory !== undefined) {
      const file = join(directory, 'rules')
      await writeFile(file, patterns.join('\n'), { mode: 0o600 })
      rules.push(`--ignore-file=${file}`)
    }
    // ripgrep takes an --ignore-file as if it lay in the directory that it is started in.
    return await runRipgrep({
      args: ['--files', '--sort=path', ...WALK_ARGS, ...sizeArgs(walk), ...rules, '--', walk.from],
      cwd: base,
      env: walk.env,
      signal: walk.signal,
      onLine: (line) => line === '' || walk.onFile(line),
    })
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  }
}

const sizeArgs = ({ maxBytes }: FileWalk): string[] => (maxBytes === undefined ? [] : [`--max-filesize=${maxBytes}`])
