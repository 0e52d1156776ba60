import { lstat, readdir } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { pathsNamedByGit, repositoryAround } from '../permissions/git-settings.ts'
import { obeyedName } from '../permissions/obeyed-files.ts'
import type { Obeyed } from '../permissions/obeyed-files.ts'
import { scanObeyed } from '../sandbox/obeyed-scan.ts'
import type { FoundObeyed } from '../sandbox/obeyed-scan.ts'
import { isWithin } from '../tools/real-path.ts'
import { contentPrint } from './content-print.ts'
import type { BroughtFile } from './types.ts'

const UNREAD: BroughtFile = { path: '.', by: 'a program', runs: true, print: 'more files than are looked at' }

export interface LookOptions {
  home?: string
  /** QMT_HOME, which may lie in a workspace, and is not of it. */
  qmtHome: string
}

/** What counts here: what runs, and words to models. Not what a build service or a version manager reads. */
export const concerns = ({ by, runs }: Obeyed): boolean => runs || by === 'an agent'

/**
 * All that a workspace brings for programs and agents to run or obey, also from the directories above it, where they look too: up to the
 * home directory, which is the person's own.
 */
export async function lookAt(root: string, { home, qmtHome }: LookOptions): Promise<BroughtFile[]> {
  if (home !== undefined && isWithin(root, home)) return []
  const { found, isWhole } = await scanObeyed(root, { home, looksInto: (obeyed) => !concerns(obeyed) })
  const brought: BroughtFile[] = isWhole ? [] : [UNREAD]
  for (const one of [...found, ...(await above(root, home))]) {
    const print = concerns(one) && !isWithin(one.path, qmtHome) ? await contentPrint(root, one) : undefined
    if (print !== undefined) brought.push({ path: relative(root, one.path) || '.', by: one.by, runs: one.runs, print })
  }
  return brought.toSorted((one, other) => (one.path < other.path ? -1 : 1))
}

type Above = Omit<FoundObeyed, 'identity'>

/** Below the root of the system, and below what holds the home. */
function directoriesAbove(directory: string, home: string | undefined): string[] {
  const parent = dirname(directory)
  const isLast = dirname(parent) === parent || (home !== undefined && isWithin(parent, home))
  return isLast ? [] : [parent, ...directoriesAbove(parent, home)]
}

async function above(root: string, home: string | undefined): Promise<Above[]> {
  const found: Above[] = []
  for (const at of directoriesAbove(root, home)) {
    for (const name of await readdir(at).catch(() => [])) {
      const obeyed = obeyedName(name)
      if (obeyed) found.push({ ...obeyed, path: join(at, name) })
    }
  }
  const top = (await repositoryAround(root)) ?? root
  const named = (await pathsNamedByGit(root, home)).filter((path) => isWithin(top, path) && !isWithin(root, path) && path !== top)
  for (const path of named) {
    const isKnown = basename(path) === '.git' || obeyedName(relative(top, path)) !== undefined
    if (!isKnown && (await lstat(path).catch(() => undefined))) found.push({ path, by: 'git', runs: true })
  }
  return found
}
