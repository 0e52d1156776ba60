import { tables } from './json-schema.ts'
import type { KeyPath } from './paths.ts'

/** Where a key that is unknown at `path` belongs, as a sentence; undefined where it is known nowhere. */
export function homeOf(key: string, path: KeyPath): string | undefined {
  const here = path.filter((part) => typeof part === 'string')
  const owners = tables().filter((table) => table.keys.some(({ name }) => name === key))
  const around = owners.findLast((table) => table.path.length < here.length && table.path.every((part, at) => part === here[at]))
  if (around) return `it belongs to ${around.header}; TOML gives a key to the table above it, so write it before the tables inside`
  const inner = tables().find((table) => table.path.at(-1) === key && table.path.length === 1)
  if (inner) return `the table is ${inner.header}`
  if (owners.length === 0) return undefined
  return `it belongs to ${owners.map(({ header }) => header).join(' or ')}`
}
