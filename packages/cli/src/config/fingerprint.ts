import { createHash } from 'node:crypto'
import type { Config } from './config.ts'
import { isTable } from './paths.ts'

/** Equal for configurations whose mesh is the same, flags included; for the running node and a command beside it. Tells nothing of what it was made of. */
export const meshFingerprint = (config: Config): string => createHash('sha256').update(canonical(config.mesh)).digest('base64url')

/** JSON with sorted keys; what is undefined is not there. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isTable(value)) return JSON.stringify(value) ?? 'null'
  const keys = Object.keys(value).filter((key) => value[key] !== undefined)
  return `{${keys
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join(',')}}`
}
