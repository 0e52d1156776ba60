import { TomlError, parse } from 'smol-toml'
import { parseTOML } from 'toml-eslint-parser'
import type { AST } from 'toml-eslint-parser'
import type { Places } from './diagnostics.ts'
import { pathKey } from './paths.ts'
import type { KeyPath } from './paths.ts'

const MAX_DEPTH = 32

export type TomlReading = { ok: true; data: Record<string, unknown> } | { ok: false; line: number; column: number; message: string }

/** Never quotes the text in a message: the line may hold a key. */
export function readToml(toml: string): TomlReading {
  try {
    return { ok: true, data: parse(toml, { unsafeKeyBehaviour: 'throw', maxDepth: MAX_DEPTH }) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [first = ''] = error.message.split('\n', 1)
    const reason = first.replace(/^Invalid TOML document: /, '')
    const hint = reason === 'invalid value' ? ' (text stands in quotes: key = "text")' : ''
    return { ok: false, line: error.line, column: error.column, message: `not TOML: ${reason}${hint}` }
  }
}

interface Place {
  line: number
  column: number
}
type PlaceOf = Map<string, Place>

/** Where keys and values of a valid document stand. What is not written is placed at the nearest table around it. */
export function placesIn(toml: string): Places {
  const keys: PlaceOf = new Map()
  const values: PlaceOf = new Map()
  const [top] = parseTOML(toml, { tomlVersion: '1.1' }).body
  for (const node of top.body) {
    if (node.type === 'TOMLTable') addTable(node, keys, values)
    else addKeyValue(node, [], keys, values)
  }
  const find = (path: KeyPath, places: PlaceOf): Place => {
    for (let length = path.length; length > 0; length -= 1) {
      const around = pathKey(path.slice(0, length))
      const place = (length === path.length ? places.get(around) : undefined) ?? keys.get(around) ?? values.get(around)
      if (place) return place
    }
    return { line: 1, column: 1 }
  }
  return { keyOf: (path) => find(path, keys), valueOf: (path) => find(path, values) }
}

function addTable(table: AST.TOMLTable, keys: PlaceOf, values: PlaceOf): void {
  const place = startOf(table)
  for (let length = 1; length <= table.resolvedKey.length; length += 1) {
    addFirst(keys, table.resolvedKey.slice(0, length), place)
  }
  for (const item of table.body) addKeyValue(item, table.resolvedKey, keys, values)
}

function addKeyValue(node: AST.TOMLKeyValue, base: KeyPath, keys: PlaceOf, values: PlaceOf): void {
  let path = base
  for (const key of node.key.keys) {
    path = [...path, key.type === 'TOMLBare' ? key.name : key.value]
    addFirst(keys, path, startOf(key))
  }
  addValue(node.value, path, keys, values)
}

function addValue(node: AST.TOMLContentNode, path: KeyPath, keys: PlaceOf, values: PlaceOf): void {
  addFirst(values, path, startOf(node))
  if (node.type === 'TOMLArray') {
    for (const [at, item] of node.elements.entries()) addValue(item, [...path, at], keys, values)
  } else if (node.type === 'TOMLInlineTable') {
    for (const item of node.body) addKeyValue(item, path, keys, values)
  }
}

const startOf = (node: AST.TOMLNode): Place => ({ line: node.loc.start.line, column: node.loc.start.column + 1 })

function addFirst(places: PlaceOf, path: KeyPath, place: Place): void {
  const key = pathKey(path)
  if (!places.has(key)) places.set(key, place)
}
