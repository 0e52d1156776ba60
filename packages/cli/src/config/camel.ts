import { isTable } from './paths.ts'

type CamelKey<Key extends string> = Key extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<CamelKey<Tail>>}` : Key

/** A table of the file with its keys in camelCase, all the way down. */
export type Camel<Value> = Value extends string | number | boolean | undefined
  ? Value
  : Value extends readonly (infer Item)[]
    ? Camel<Item>[]
    : { [Key in keyof Value as Key extends string ? CamelKey<Key> : Key]: Camel<Value[Key]> }

/** Tables whose keys are the user's own names. */
const NAMED = ['env', 'headers']

export const camelCased = <Value>(value: Value): Camel<Value> => camel(value) as Camel<Value>

function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel)
  if (!isTable(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      NAMED.includes(key) ? inner : camel(inner),
    ]),
  )
}
