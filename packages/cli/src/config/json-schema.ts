import { z } from 'zod'
import type { Json } from '@qmtcode/protocol'
import type { KeyPath } from './paths.ts'
import { fileSchema } from './schema/root.ts'

/** The part of JSON Schema that ours uses. */
export type JsonSchema = {
  $schema?: string
  title?: string
  description?: string
  type?: string
  default?: Json
  enum?: string[]
  minimum?: number
  maximum?: number
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
  additionalProperties?: boolean | JsonSchema
}

let known: JsonSchema | undefined

/** Draft 2020-12, of the file as it is written; for editors, and the one source of key tables and suggestions. */
export function configJsonSchema(): JsonSchema {
  known ??= { ...(z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-2020-12' }) as JsonSchema), title: 'qmtcode configuration' }
  return known
}

/** What may stand at a path; undefined where nothing may. */
export function schemaAt(path: KeyPath): JsonSchema | undefined {
  let node: JsonSchema | undefined = configJsonSchema()
  for (const key of path) {
    if (typeof key === 'number') node = node.items ?? node.anyOf?.find(({ items }) => items)?.items
    else node = node.properties?.[key] ?? (typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined)
    if (!node) return undefined
  }
  return node
}

export interface TableSchema {
  /** As it is written: `[mesh]`, `[[mesh.peers]]`, `[providers.NAME]`. */
  header: string
  /** Keys from the top, without list indexes and names. */
  path: string[]
  description: string
  /** Keys that hold values; tables inside are tables of their own. */
  keys: { name: string; schema: JsonSchema; required: boolean }[]
}

/** Every table, outer before inner, in the order of the schema. */
export function tables(): TableSchema[] {
  return Object.entries(configJsonSchema().properties ?? {}).flatMap(([name, schema]) => tablesIn(schema, [name], name))
}

function tablesIn(schema: JsonSchema, path: string[], dotted: string): TableSchema[] {
  const description = schema.description ?? ''
  if (schema.items?.properties) return tableOf(schema.items, path, { dotted, header: `[[${dotted}]]`, description })
  const named = schema.additionalProperties
  if (typeof named === 'object' && named.properties) {
    return tableOf(named, path, { dotted: `${dotted}.NAME`, header: `[${dotted}.NAME]`, description })
  }
  return schema.properties ? tableOf(schema, path, { dotted, header: `[${dotted}]`, description }) : []
}

function tableOf(schema: JsonSchema, path: string[], at: { dotted: string; header: string; description: string }): TableSchema[] {
  const inner: TableSchema[] = []
  const keys: TableSchema['keys'] = []
  for (const [name, value] of Object.entries(schema.properties ?? {})) {
    const found = tablesIn(value, [...path, name], `${at.dotted}.${name}`)
    if (found.length === 0) keys.push({ name, schema: value, required: schema.required?.includes(name) ?? false })
    inner.push(...found)
  }
  return [{ header: at.header, path, description: at.description, keys }, ...inner]
}
