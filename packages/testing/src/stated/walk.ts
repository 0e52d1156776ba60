import type { z } from 'zod'

/** What a walk needs of a schema's definition, whichever its type. */
interface Definition {
  type: string
  format?: string
  pattern?: RegExp
  checks?: readonly { _zod: { def: Check } }[]
  shape?: Record<string, z.core.$ZodType>
  element?: z.core.$ZodType
  items?: readonly z.core.$ZodType[]
  options?: readonly z.core.$ZodType[]
  keyType?: z.core.$ZodType
  valueType?: z.core.$ZodType
  innerType?: z.core.$ZodType
  in?: z.core.$ZodType
  values?: readonly unknown[]
  entries?: Record<string, string>
}
interface Check {
  check: string
  format?: string
  pattern?: RegExp
  maximum?: number
  value?: number
}

const definitionOf = (schema: z.core.$ZodType): Definition => schema._zod.def

const checksOf = ({ checks = [] }: Definition): Check[] => checks.map(({ _zod }) => _zod.def)

/**
 * Where a value of `schema` may hold a number, a text or a list without an end, as paths. What no schema describes (`custom`, `unknown`)
 * is one too: its own test is to show that it is bounded.
 */
export function unboundedIn(schema: z.core.$ZodType, path = ''): string[] {
  const definition = definitionOf(schema)
  const below = partsOf(definition).flatMap(([name, part]) => unboundedIn(part, `${path}${name}`))
  return isBounded(definition) ? below : [`${path || '.'}: ${definition.type}`, ...below]
}

/** The schemas that one is made of, and how a path names them. */
function partsOf({ shape, element, items, options, valueType, innerType, in: input }: Definition): [string, z.core.$ZodType][] {
  const wrapped = [innerType, input, ...(options ?? [])].filter((part) => part !== undefined)
  return [
    ...Object.entries(shape ?? {}).map(([key, part]): [string, z.core.$ZodType] => [`.${key}`, part]),
    ...[element, valueType].filter((part) => part !== undefined).map((part): [string, z.core.$ZodType] => ['[]', part]),
    ...(items ?? []).map((part, at): [string, z.core.$ZodType] => [`[${at}]`, part]),
    ...wrapped.map((part): [string, z.core.$ZodType] => ['', part]),
  ]
}

/** A repetition without an end, outside of a set of characters. */
const ENDLESS = /(?<!\\)[*+]|\{\d+,\}/
const isEndless = (pattern: RegExp | undefined): boolean => !pattern || ENDLESS.test(pattern.source.replaceAll(/\[(?:\\.|[^\]])*\]/g, 'x'))

function isBounded(definition: Definition): boolean {
  const checks = checksOf(definition)
  const has = (...kinds: string[]): boolean => checks.some(({ check }) => kinds.includes(check))
  switch (definition.type) {
    case 'string':
      return (
        has('max_length', 'length_equals') ||
        [definition, ...checks].some(({ format, pattern }) => format !== undefined && !isEndless(pattern))
      )
    case 'number':
      return has('greater_than') && has('less_than', 'overwrite')
    case 'array':
      return has('max_length', 'length_equals')
    case 'custom':
    case 'unknown':
    case 'any':
      return false
    default:
      return true
  }
}
