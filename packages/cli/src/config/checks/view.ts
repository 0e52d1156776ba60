import { finding } from '../diagnostics.ts'
import type { Finding } from '../diagnostics.ts'
import { isTable, showPath, valueAt } from '../paths.ts'
import type { KeyPath } from '../paths.ts'

/** A table that may be of any shape: the schema speaks of wrong types, checks pass over them. */
export interface Table {
  path: KeyPath
  /** The value if it is a string. */
  text(key: string): string | undefined
  texts(key: string): string[]
  has(key: string): boolean
  table(key: string): Table
}

export interface View {
  /** Every table of a list: `[[mesh.peers]]`. */
  list(...path: string[]): Table[]
  /** One table, if it is there. */
  one(...path: string[]): Table | undefined
  /** Tables by name: `[providers.NAME]`. */
  named(...path: string[]): { name: string; table: Table }[]
  /** A text as it stands in the file, variables unresolved. */
  shown(path: KeyPath): string
}

export type Check = (view: View) => Finding[]

export function viewOf(data: unknown, written: unknown): View {
  const at = (path: KeyPath): Table => tableAt(data, path)
  return {
    list: (...path) => {
      const items = valueAt(data, path)
      return Array.isArray(items) ? items.flatMap((item, index) => (isTable(item) ? [at([...path, index])] : [])) : []
    },
    one: (...path) => (isTable(valueAt(data, path)) ? at(path) : undefined),
    named: (...path) => {
      const found = valueAt(data, path)
      const names = isTable(found) ? Object.keys(found).filter((name) => isTable(found[name])) : []
      return names.map((name) => ({ name, table: at([...path, name]) }))
    },
    shown: (path) => JSON.stringify(valueAt(written, path)),
  }
}

function tableAt(data: unknown, path: KeyPath): Table {
  const value = (key: string) => valueAt(data, [...path, key])
  const text = (key: string) => {
    const found = value(key)
    return typeof found === 'string' ? found : undefined
  }
  return {
    path,
    text,
    texts: (key) => {
      const found = value(key)
      if (Array.isArray(found)) return found.filter((item) => typeof item === 'string')
      return [text(key) ?? []].flat()
    },
    has: (key) => value(key) !== undefined,
    table: (key) => tableAt(data, [...path, key]),
  }
}

export const errorAt = (table: Table, key: string, message: string): Finding => finding('error', [...table.path, key], message)
export const warningAt = (table: Table, key: string, message: string): Finding => finding('warning', [...table.path, key], message)

/** A finding for each table whose text under `key` an earlier one has; `what` reads "the name of". */
export function repeated(tables: readonly Table[], key: string, view: View): Finding[] {
  const first = new Map<string, Table>()
  return tables.flatMap((table) => {
    const text = table.text(key)
    if (text === undefined) return []
    const earlier = first.get(text)
    if (!earlier) first.set(text, table)
    return earlier ? [errorAt(table, key, `${view.shown([...table.path, key])} is already the ${key} of ${showPath(earlier.path)}`)] : []
  })
}
