import { didYouMean, nearest } from '@qmtcode/protocol'
import { schemaAt, tables } from './json-schema.ts'
import type { KeyPath } from './paths.ts'

/** The sentence about a key that is unknown at `path`: the table around that it fell out of, what was probably meant, or where else it is known. */
export function unknownKey(key: string, path: KeyPath): string {
  const here = path.filter((part) => typeof part === 'string')
  const what = path.length === 0 ? 'table or key' : 'key'
  const known = Object.keys(schemaAt(path)?.properties ?? {})
  const owners = tables().filter((table) => table.keys.some(({ name }) => name === key))
  const around = owners.findLast((table) => table.path.length < here.length && table.path.every((part, at) => part === here[at]))
  if (around) return `unknown here: it belongs to ${around.header}, and TOML gives a key to the table above it`
  if (nearest(key, known) !== undefined) return `unknown ${what}${didYouMean(key, known)}`
  const top = tables().find((table) => table.path.length === 1 && table.path[0] === key)
  if (top) return `unknown here: the table is ${top.header}`
  if (owners.length > 0) return `unknown here: it belongs to ${owners.map(({ header }) => header).join(' or ')}`
  const listed = known.slice(0, MAX_LISTED).join(', ')
  return `unknown ${what}; known here: ${listed}${known.length > MAX_LISTED ? ', …' : ''}`
}

const MAX_LISTED = 16
