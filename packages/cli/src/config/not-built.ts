import { finding } from './diagnostics.ts'
import type { Finding } from './diagnostics.ts'
import { valueAt, writtenPaths } from './paths.ts'
import type { KeyPath } from './paths.ts'

/** A key, or some values of it, that parses but does nothing yet. `*` is a list index or a name; what is inside is included. */
interface NotBuilt {
  path: string
  /** Values that are not built; without it, all. */
  values?: (value: unknown) => boolean
}

const isOn = (value: unknown): boolean => value === true
const hasItems = (value: unknown): boolean => !Array.isArray(value) || value.length > 0

/** The one list: what an issue builds, it deletes here. */
const NOT_BUILT: NotBuilt[] = [
  { path: 'mesh.share.mcp', values: isOn },
  { path: 'mesh.share.delegate', values: isOn },
  { path: 'mesh.share.slots' },
  { path: 'mesh.share.queue' },
  { path: 'mesh.share.tokens_per_day' },
  ...['agent', 'planner', 'delegates.*'].flatMap((agent) => [
    { path: `${agent}.mcp`, values: hasItems },
    { path: `${agent}.limits.max_tokens` },
    { path: `${agent}.limits.max_cost_usd` },
    { path: `${agent}.limits.idle_secs` },
    { path: `${agent}.limits.max_depth` },
    { path: `${agent}.verify` },
    { path: `${agent}.on_lost` },
  ]),
  { path: 'permissions.web' },
  { path: 'permissions.mcp' },
  { path: 'permissions.web_private' },
  { path: 'mcp' },
  { path: 'server' },
]

/** One notice for each line of the list that the file uses, at its first use. Values are shown as `written`, before variables. */
export function notBuiltYet(data: unknown, written: unknown): Finding[] {
  const told = new Set<NotBuilt>()
  const findings: Finding[] = []
  for (const { path, value } of writtenPaths(data)) {
    const entry = NOT_BUILT.find((candidate) => matches(candidate.path, path) && (candidate.values?.(value) ?? true))
    if (!entry || told.has(entry)) continue
    told.add(entry)
    const shown = entry.values && typeof value !== 'object' ? `${JSON.stringify(valueAt(written, path))}: ` : ''
    findings.push(finding('notice', path, `${shown}not built yet`, 'key'))
  }
  return findings
}

/** For the docs: whether a table or key, named without indexes, is not built at all, or some of its values are not. */
export function builtness(path: readonly string[]): 'built' | 'partly' | 'not' {
  const plain = path.join('.')
  const entries = NOT_BUILT.filter((entry) => entry.path.replaceAll('.*', '') === plain)
  if (entries.length === 0) return 'built'
  return entries.some(({ values }) => values === undefined) ? 'not' : 'partly'
}

function matches(pattern: string, path: KeyPath): boolean {
  const parts = pattern.split('.')
  return parts.length === path.length && parts.every((part, at) => part === '*' || part === path[at])
}
