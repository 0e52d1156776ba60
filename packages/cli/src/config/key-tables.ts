import { tables } from './json-schema.ts'
import type { JsonSchema, TableSchema } from './json-schema.ts'
import { builtness } from './not-built.ts'

const BEGIN = '<!-- keys: written by scripts/config-docs.ts from the schema -->'
const END = '<!-- end of keys -->'

/** The page with its key tables as the schema has them. Throws where the page has no place for them. */
export function withKeyTables(page: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`no place for the key tables: expected a line ${BEGIN} and a line ${END}`)
  return `${page.slice(0, from + BEGIN.length)}\n\n${keyTables()}\n${page.slice(to)}`
}

/** Markdown of every table: tables with the same keys stand together. */
function keyTables(): string {
  const groups = new Map<string, TableSchema[]>()
  for (const table of tables()) {
    const key = JSON.stringify(table.keys.map(({ name, schema }) => (name === 'id' ? name : { name, schema })))
    groups.set(key, [...(groups.get(key) ?? []), table])
  }
  return Array.from(groups.values(), section).join('\n')
}

function section(group: TableSchema[]): string {
  const [first] = group
  if (!first) return ''
  const alike = group.every(({ description }) => description === first.description)
  const about = alike ? [first.description] : group.map(({ header, description }) => `- \`${header}\`: ${description}`)
  const unbuilt = builtness(first.path) === 'not' ? ['', NOT_BUILT] : []
  const rows = first.keys.map((key) => row(key, group))
  const lines = [`### ${group.map(({ header }) => `\`${header}\``).join(', ')}`, '', ...about, ...unbuilt, '', ...aligned([HEAD, ...rows])]
  return `${lines.join('\n')}\n`
}

const HEAD = ['key', 'type', 'default', 'meaning']
const NOT_BUILT = 'Not built yet.'
const PARTLY_BUILT = 'Not all of it is built yet.'

function row({ name, schema, required }: TableSchema['keys'][number], group: TableSchema[]): string[] {
  const differ = new Set(group.map((table) => JSON.stringify(keyOf(table, name)?.schema.default))).size > 1
  const fallback = differ ? defaultsOf(group, name) : required ? 'required' : shownDefault(schema)
  const built = builtness([...(group[0]?.path ?? []), name])
  const note = built === 'built' ? '' : ` ${built === 'not' ? NOT_BUILT : PARTLY_BUILT}`
  return [`\`${name}\``, typeOf(schema), fallback, `${schema.description}${note}`]
}

/** Columns of equal width, as the formatter has them. */
function aligned(rows: string[][]): string[] {
  const cells = rows.map((row) => row.map((text) => text.replaceAll('|', '\\|')))
  const widths = HEAD.map((_, at) => Math.max(3, ...cells.map((row) => row[at]?.length ?? 0)))
  const line = (row: string[]) => `| ${row.join(' | ')} |`
  const [head = '', ...body] = cells.map((row) => line(row.map((text, at) => text.padEnd(widths[at] ?? 0))))
  return [head, line(widths.map((width) => '-'.repeat(width))), ...body]
}

const keyOf = (table: TableSchema, name: string) => table.keys.find((key) => key.name === name)

const defaultsOf = (group: TableSchema[], name: string): string =>
  group
    .map((table) => {
      const key = keyOf(table, name)
      return `\`${table.header}\`: ${key?.required ? 'required' : key ? shownDefault(key.schema) : ''}`
    })
    .join(', ')

const shownDefault = ({ default: value }: JsonSchema): string => (value === undefined ? '' : `\`${JSON.stringify(value)}\``)

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf) return `${typeOf(schema.anyOf[0] ?? {})}, or a list of them`
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (schema.type === 'array') return `list of ${schema.items?.type === 'string' ? 'strings' : 'tables'}`
  if (schema.type === 'object') return 'table of strings'
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type !== 'integer' && schema.type !== 'number') return schema.type ?? ''
  const kind = schema.type === 'integer' ? 'whole number' : 'number'
  const { minimum = 0, maximum = Infinity } = schema
  return maximum < Number.MAX_SAFE_INTEGER ? `${kind}, ${minimum} to ${maximum}` : `${kind}, ${minimum} or more`
}
