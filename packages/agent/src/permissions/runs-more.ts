import { programOf, SHELLS, WRAPPERS } from './started-commands.ts'

interface Words {
  /** Of the word as it is written. */
  shape?: RegExp
  /** Long options, without `--`; programs take them cut short as well. */
  long?: readonly string[]
}

const GIT: Words = {
  shape: /^(?:-[^-]*[cCOux]|(?:difftool|mergetool|bisect|foreach|filter-branch|config|hook)$)/,
  long: 'config-env exec exec-path extcmd ext-diff git-dir open-files-in-pager output receive-pack textconv upload-pack work-tree'.split(
    ' ',
  ),
}
const FD: Words = { shape: /^-[^-]*[xX]/, long: ['exec', 'exec-batch'] }
const PROGRAMS: Readonly<Record<string, Words>> = {
  git: GIT,
  find: { shape: /^-(?:exec|ok|delete|fprint|fls)/ },
  fd: FD,
  fdfind: FD,
  rg: { long: ['pre', 'hostname-bin'] },
  sort: { shape: /^-[^-]*o/, long: ['output', 'compress-program'] },
}

/**
 * Whether a word makes its program run another, look for its settings elsewhere, or write to a file that the word names. No `*` of a rule
 * stands for such a word. Short on purpose: of most programs (`make`, `npm`, `python`) only the person can say what they may be given.
 */
export function runsMore(words: readonly string[], at: number): boolean {
  const [program, word] = [programOf(words), words[at] ?? '']
  if (WRAPPERS.has(program)) return true
  if (SHELLS.has(program)) return /^[-+]/.test(word)
  const { shape, long = [] } = PROGRAMS[program] ?? {}
  const option = /^--([^=]+)/.exec(word)?.[1]
  return shape?.test(word) === true || (option !== undefined && long.some((name) => name.startsWith(option)))
}
