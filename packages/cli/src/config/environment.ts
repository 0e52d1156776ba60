import { isTable, pathKey } from './paths.ts'
import type { KeyPath } from './paths.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const VARIABLE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g

export interface Interpolated {
  data: Record<string, unknown>
  missing: { path: KeyPath; name: string }[]
  /** Paths whose text came from the environment, whole or in part: errors show them as written. */
  substituted: ReadonlySet<string>
}

/** `${VAR}` and `${VAR:-default}` in every string value, after parsing, as a shell would; `$${` stays `${`. Keys are left alone. */
export function interpolate(data: Record<string, unknown>, env: Environment): Interpolated {
  const missing: Interpolated['missing'] = []
  const substituted = new Set<string>()
  const fill = (value: unknown, path: KeyPath): unknown => {
    if (typeof value === 'string') {
      if (value.match(VARIABLE)?.some((match) => match !== '$${')) substituted.add(pathKey(path))
      return value.replaceAll(VARIABLE, (match: string, name: string | undefined, fallback: string | undefined) => {
        if (name === undefined) return '${'
        const found = env[name]
        if (fallback !== undefined) return found === undefined || found === '' ? fallback : found
        if (found === undefined) missing.push({ path, name })
        return found ?? match
      })
    }
    if (Array.isArray(value)) return value.map((item, at) => fill(item, [...path, at]))
    return isTable(value) ? fillTable(value, path) : value
  }
  const fillTable = (table: Record<string, unknown>, path: KeyPath): Record<string, unknown> =>
    Object.fromEntries(Object.entries(table).map(([key, value]) => [key, fill(value, [...path, key])]))
  return { data: fillTable(data, []), missing, substituted }
}
