/** Where a value stands in the file: `['mesh', 'peers', 0, 'addr']`. */
export type KeyPath = readonly (string | number)[]

/** `mesh.peers[0].addr`; keys that are no bare words are quoted. */
export function showPath(path: KeyPath): string {
  return path
    .map((key, at) => {
      if (typeof key === 'number') return `[${key}]`
      const word = /^[\w-]+$/.test(key) ? key : JSON.stringify(key)
      return at === 0 ? word : `.${word}`
    })
    .join('')
}

export const pathKey = (path: KeyPath): string => JSON.stringify(path)

export const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** The value at a path of parsed TOML; undefined where there is none. */
export function valueAt(data: unknown, path: KeyPath): unknown {
  let value = data
  for (const key of path) {
    if (Array.isArray(value) && typeof key === 'number') value = value[key]
    else if (isTable(value) && Object.hasOwn(value, key)) value = value[key]
    else return undefined
  }
  return value
}

/** Every path that is written, tables and lists before what is in them. */
export function* writtenPaths(data: unknown, path: KeyPath = []): Generator<{ path: KeyPath; value: unknown }> {
  if (path.length > 0) yield { path, value: data }
  if (Array.isArray(data)) {
    for (const [at, item] of data.entries()) yield* writtenPaths(item, [...path, at])
  } else if (isTable(data)) {
    for (const key of Object.keys(data)) yield* writtenPaths(data[key], [...path, key])
  }
}
