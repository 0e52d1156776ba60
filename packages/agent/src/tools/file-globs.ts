import { isAbsolute, relative } from 'node:path'
import { pathMatches } from '../permissions/glob.ts'

/** Whether a file is one that a model's glob means. `path` is absolute. */
export type FileFilter = (path: string) => boolean

/**
 * A glob as models write it: on the name (`*.ts`), on the end of the path (`src/*.ts`), with `./`, a leading `/` or the workspace's own path before it,
 * with `\` for `/`, several in one text (`*.ts, *.tsx`), a directory (`src`, `src/`), an ending (`.ts`), an exclusion (`!*.test.ts`). Case does not count.
 */
export function createFileFilter(glob: string, root: string): FileFilter {
  const globs = splitGlobs(glob).map((one) => normalised(one, root))
  const wanted = globs.filter((one) => !one.startsWith('!'))
  const excluded = globs.filter((one) => one.startsWith('!')).map((one) => one.slice(1))
  return (path) => {
    const shown = relative(root, path).toLowerCase()
    const isExcluded = excluded.some((one) => meansFile(one, shown))
    return !isExcluded && (wanted.length === 0 || wanted.some((one) => meansFile(one, shown)))
  }
}

/** At commas and blanks that stand outside of braces and brackets. */
function splitGlobs(glob: string): string[] {
  const parts: string[] = ['']
  let depth = 0
  for (const char of glob.trim()) {
    if ('{['.includes(char)) depth += 1
    if ('}]'.includes(char)) depth = Math.max(0, depth - 1)
    if (depth === 0 && /[,;|\s]/.test(char)) parts.push('')
    else parts[parts.length - 1] += char
  }
  const found = parts.filter((part) => part !== '')
  // A name with a blank in it is one name: the parts count only where each of them looks like a glob.
  return found.every((part) => /[*?[{!]|^\.\w+$/.test(part)) ? found : [glob.trim()]
}

function normalised(glob: string, root: string): string {
  const negation = glob.startsWith('!') ? '!' : ''
  const forward = glob.slice(negation.length).replaceAll('\\', '/')
  const inside = isAbsolute(forward) && forward.startsWith(`${root}/`) ? forward.slice(root.length) : forward
  const body = inside.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '')
  const isEnding = /^\.\w+$/.test(body) && !body.includes('/')
  return `${negation}${(isEnding ? `{*${body},${body}}` : body).toLowerCase()}`
}

function meansFile(glob: string, path: string): boolean {
  if (glob === '' || pathMatches(glob, path)) return true
  return [`**/${glob}`, `${glob}/**`, `**/${glob}/**`].some((variant) => pathMatches(variant, path))
}
