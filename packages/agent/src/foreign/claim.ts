import type { ToolPermission } from '../tools/types.ts'
import { readInput } from './call-input.ts'
import type { CallInput } from './call-input.ts'
import type { CallUpdate } from './updates.ts'

/** What a call of the agent's own would do, as far as it says; what it does not say clearly counts as a command. */
export interface Claim {
  name: string
  permission: ToolPermission
  paths: string[]
  command?: string
  /** What it would do is not all in `command`: it has arguments beside it, a directory, an environment. */
  isMore?: boolean
}

export const MAX_PATHS = 100

export function claimOf(call: CallUpdate, name: string): Claim {
  const { rawInput, content = [] } = call
  const input = readInput(rawInput, [
    ...(call.locations ?? []).map(({ path }) => path),
    ...content.flatMap((item) => (item.type === 'diff' ? [item.path] : [])),
  ])
  const isClear = input.isClear && input.paths.length <= MAX_PATHS && !input.hasCommand && content.every(({ type }) => type !== 'terminal')
  const changes = content.some(({ type }) => type === 'diff')
  const permission = isClear ? permissionOf(call.kind ?? 'other', input, changes) : 'shell'
  const command = commandIn(rawInput)
  const isMore = permission === 'shell' && !isWhole(rawInput)
  const paths = input.paths.slice(0, MAX_PATHS)
  return { name, permission, paths, ...(command !== undefined && { command }), ...(isMore && { isMore }) }
}

/** By the kind that the agent names, where the call holds what that kind needs, and nothing that speaks of another. */
function permissionOf(kind: string, { paths, urls }: CallInput, changes: boolean): ToolPermission {
  const isOfFiles = paths.length > 0 && urls.length === 0
  switch (kind) {
    case 'read':
    case 'search':
      return isOfFiles && !changes ? 'read' : 'shell'
    case 'edit':
    case 'delete':
      return isOfFiles ? 'edit' : 'shell'
    case 'move':
      return isOfFiles && paths.length > 1 ? 'edit' : 'shell'
    case 'fetch':
      return urls.length > 0 && paths.length === 0 && !changes ? 'web' : 'shell'
    default:
      return 'shell'
  }
}

const COMMAND_KEYS = ['command', 'cmd', 'script']

function commandIn(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined
  const values: unknown[] = COMMAND_KEYS.map((key) => (input as Record<string, unknown>)[key])
  const found = values.find((value) => value !== undefined && value !== null && value !== '')
  if (found === undefined) return undefined
  return typeof found === 'string' ? found : Array.isArray(found) ? found.join(' ') : JSON.stringify(found)
}

/** Words about a command, and what bounds it, change nothing that it does. */
const ABOUT_COMMAND: ReadonlySet<string> = new Set(['description', 'title', 'timeout', 'timeout_ms', 'timeout_seconds'])

/** Whether the command is one text, and all that a call says it would run. */
function isWhole(input: unknown): boolean {
  if (typeof input !== 'object' || input === null) return false
  const said = Object.entries(input).filter(([key]) => !ABOUT_COMMAND.has(key))
  return said.length === 1 && COMMAND_KEYS.includes(said[0]?.[0] ?? '') && typeof said[0]?.[1] === 'string'
}
