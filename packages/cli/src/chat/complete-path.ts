import type { SessionId, Sessions } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'

const SHOWN = 12

export interface CompletePathComponents {
  sessions: Sessions
  /** The session whose workspace is meant. */
  session(): Promise<SessionId>
  /** Where there are several: shown to choose from. */
  show(text: string): void
}

/** What stands in place of `token`, the last characters before the cursor. */
export type Completion = [replacements: string[], token: string]

/** Completes `@path` and `@"a path` before the cursor from the files of the host. */
export async function completePath(line: string, { sessions, session, show }: CompletePathComponents): Promise<Completion> {
  const token = /(?:^|\s)(@(?:"[^"]*|[^\s"]*))$/.exec(line)?.[1]
  if (token === undefined) return [[], line]
  const typed = token.replace(/^@"?/, '')
  const slash = typed.lastIndexOf('/')
  const query = typed === '' || slash === typed.length - 1 ? { path: typed === '' ? '.' : typed } : { match: typed }
  const { items, more } = await sessions.listFiles(await session(), { ...query, limit: SHOWN })
  const paths = items.map(({ path, kind }) => (kind === 'directory' ? `${path}/` : path))
  const [only] = paths
  if (only === undefined) return [[], token]
  if (paths.length === 1) return [[written(only)], token]
  show([...paths.map((path) => `  ${printableLine(path, 200)}`), ...(more ? ['  …'] : [])].join('\n'))
  const common = commonStart(paths)
  return common.length > typed.length && common.startsWith(typed) ? [[written(common, 'open')], token] : [[], token]
}

/** In quotes where it has blanks; closed, unless more is to come. */
function written(path: string, end?: 'open'): string {
  if (!/\s/.test(path)) return `@${path}`
  return end === 'open' || path.endsWith('/') ? `@"${path}` : `@"${path}"`
}

function commonStart([first = '', ...others]: readonly string[]): string {
  let length = first.length
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length -= 1
  return first.slice(0, length)
}
