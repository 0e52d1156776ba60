import { OBEYED_NAMES } from './obeyed-names.ts'

/** What a file or directory is to programs other than ours. */
export interface Obeyed {
  /** The program, as a person calls it. */
  by: string
  /** It runs what is written there, on this machine, by itself. Else it follows it: as settings, or as words to a model. */
  runs: boolean
  /** The workspace itself lies in such a directory: that is what its person works on. */
  isAround?: boolean
}

/** As all file systems take it, but for case. */
const PLAIN = /^[\w-]+(?:\.[\w-]+)*$|^(?:\.[\w-]+)+$/
/** Texts that people copy from; no program loads them. */
const EXAMPLE = /^\.env(?:\..+)?\.(?:example|sample|template|dist)$/

const PATTERNS = OBEYED_NAMES.map((listed) => ({ listed, pattern: patternOf(listed.names) }))
/** Most names are none of them: one look says so. */
const ANY = patternOf(OBEYED_NAMES.map(({ names }) => names).join(' '))

/** Who runs or obeys the file of this name, if anybody does. `shown`: relative within the workspace, else absolute. */
export function obeyedByName({ real, shown, place }: { real: string; shown: string; place: string }): Obeyed | undefined {
  const own = find(shown)
  if (own) return { by: own.by, runs: own.runs }
  const around = place === 'workspace' ? find(real) : undefined
  return around && { by: around.by, runs: around.runs, ...(around.holdsWorkspaces !== true && { isAround: true }) }
}

/** The same of a path below a directory, or of a pattern. */
export function obeyedName(path: string): Obeyed | undefined {
  const found = find(path)
  return found && { by: found.by, runs: found.runs }
}

function find(path: string) {
  const parts = path.split(/[/\\]+/).map(foldedName)
  if (EXAMPLE.test(parts.at(-1) ?? '')) parts.pop()
  const folded = parts.join('/')
  if (!ANY.test(folded)) return undefined
  return PATTERNS.find(({ pattern }) => pattern.test(folded))?.listed
}

/**
 * A name as the most forgiving file system takes it: in any case, in any Unicode form, without characters that nobody sees (HFS+), without
 * dots and blanks at its end or a stream after a colon (NTFS).
 */
export function foldedName(name: string): string {
  if (PLAIN.test(name)) return name.toLowerCase()
  const visible = name.replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
  const folded = visible.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC')
  return folded.replace(/(?<=.):.*$/, '').replace(/(?<=[^.\s])[.\s]+$/, '')
}

function patternOf(names: string): RegExp {
  const alternatives = names.split(' ').map((name) => name.replaceAll('.', String.raw`\.`).replaceAll('*', '[^/]*'))
  return new RegExp(`(?:^|/)(?:${alternatives.join('|')})(?:/|$)`)
}
