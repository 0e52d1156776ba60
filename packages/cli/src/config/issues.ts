import type { z } from 'zod'
import { didYouMean } from '@qmtcode/protocol'
import { finding } from './diagnostics.ts'
import type { Finding } from './diagnostics.ts'
import { schemaAt } from './json-schema.ts'
import { isTable, pathKey, valueAt } from './paths.ts'
import type { KeyPath } from './paths.ts'
import { isSecret } from './secrets.ts'
import { unknownKey } from './unknown-key.ts'

type Issue = z.core.$ZodIssue

export interface Written {
  /** The file's values as written, variables unresolved: what an error may show. */
  data: unknown
  substituted: ReadonlySet<string>
}

const TYPES: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a table',
  record: 'a table',
}
const MAX_SHOWN = 60

/** A schema's complaint in the words of the file: what was expected there, what stands there, what was probably meant. */
export function describeIssue(issue: Issue, written: Written): Finding[] {
  const path = issue.path as KeyPath
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => finding('error', [...path, key], unknownKey(key, path), 'key'))
    case 'invalid_type':
      return [finding('error', path, mismatch(expectedType(issue.expected, path), path, written))]
    case 'invalid_value':
      return [finding('error', path, badChoice(issue.values.map(String), path, written))]
    case 'invalid_union':
      return describeUnion(issue, written)
    case 'too_small':
    case 'too_big':
      return [finding('error', path, outOfRange(issue, path, written))]
    case 'custom':
      return [finding('error', path, customProblem(issue, path, written))]
    default:
      return [finding('error', path, issue.message)]
  }
}

/** One value or a list of them: the branch that fits what was written speaks. */
function describeUnion(issue: Issue & { code: 'invalid_union' }, written: Written): Finding[] {
  const [one = [], many = []] = issue.errors
  const path = issue.path as KeyPath
  if (!Array.isArray(valueAt(written.data, path)) && one.some(({ code, path }) => code === 'invalid_type' && path.length === 0)) {
    return [finding('error', path, mismatch('a string or a list of strings', path, written))]
  }
  const branch = Array.isArray(valueAt(written.data, path)) ? many : one
  return branch.flatMap((inner) => describeIssue({ ...inner, path: [...path, ...inner.path] as PropertyKey[] }, written))
}

function expectedType(expected: string, path: KeyPath): string {
  const choices = schemaAt(path)?.enum
  return choices ? oneOf(choices) : (TYPES[schemaAt(path)?.type === 'integer' ? 'int' : expected] ?? expected)
}

function mismatch(expected: string, path: KeyPath, written: Written): string {
  const value = valueAt(written.data, path)
  return value === undefined ? `is missing: expected ${expected}` : `expected ${expected}, got ${kindOf(value)}`
}

const oneOf = (choices: readonly string[]): string => `one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`

function badChoice(choices: readonly string[], path: KeyPath, written: Written): string {
  const value = valueAt(written.data, path)
  if (value === undefined) return `is missing: expected ${oneOf(choices)}`
  const hint = typeof value === 'string' && !written.substituted.has(pathKey(path)) ? didYouMean(value, choices) : ''
  return `expected ${oneOf(choices)}, got ${shown(path, written)}${hint}`
}

function outOfRange(issue: Issue & { code: 'too_small' | 'too_big' }, path: KeyPath, written: Written): string {
  if (issue.origin === 'string') return 'expected text, got an empty string'
  if (issue.origin === 'array') return 'expected at least one item, got an empty list'
  const { minimum, maximum } = schemaAt(path) ?? {}
  return `expected a number from ${minimum} to ${maximum}, got ${shown(path, written)}`
}

/** The schema's own words, unless they hold a value that came from the environment. */
function customProblem(issue: Issue & { code: 'custom' }, path: KeyPath, written: Written): string {
  const what: unknown = issue.params?.['what']
  if (!written.substituted.has(pathKey(path)) || typeof what !== 'string') return issue.message
  return `expected ${what}, got what ${shown(path, written)} stands for`
}

/** What an error may print of a value: nothing of a secret, and only as written. */
function shown(path: KeyPath, written: Written): string {
  const value = valueAt(written.data, path)
  if (typeof value !== 'string') return kindOf(value)
  if (isSecret(path)) return 'a string'
  return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value)
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Date) return 'a date'
  if (isTable(value)) return 'a table'
  return typeof value === 'string' ? 'a string' : String(value)
}
