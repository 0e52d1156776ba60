import { isAbsolute, join } from 'node:path'
import type { ToolCall, ToolCallContent, ToolCallLocation, ToolCallUpdate, ToolKind } from '@agentclientprotocol/sdk'
import type { Json, SessionEvent } from '@qmtcode/protocol'

type EventOf<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>

export interface ToolView {
  /** Of the session, on its host. */
  workspace: string
  /** Whether the host's files are the editor's: else it must not open them. */
  isLocal: boolean
}

const TITLE_CHARS = 300

const KINDS: Readonly<Record<string, ToolKind>> = {
  read_file: 'read',
  list_files: 'search',
  search_text: 'search',
  edit: 'edit',
  write_file: 'edit',
  shell: 'execute',
  web_fetch: 'fetch',
  question: 'other',
}

/** A model may count its calls anew in each turn: an editor knows them by session. */
export const toolCallIdOf = ({ turnId, callId }: { turnId: string; callId: string }): string => `${turnId}/${callId}`

export function toolCallOf(event: EventOf<'tool.started'>, view: ToolView): ToolCall {
  const { name, input } = event
  return {
    toolCallId: toolCallIdOf(event),
    name,
    title: titleOf(name, input),
    kind: KINDS[name] ?? 'other',
    status: 'in_progress',
    rawInput: input,
    content: diffOf(name, input, view),
    locations: locationsOf(input, view),
  }
}

export function endedCallOf(event: EventOf<'tool.ended'>, view: ToolView): ToolCallUpdate {
  const { name, input, output, isError } = event
  const diff = isError ? [] : diffOf(name, input, view)
  return {
    toolCallId: toolCallIdOf(event),
    status: isError ? 'failed' : 'completed',
    content: diff.length > 0 ? diff : [textContent(output)],
    rawOutput: output,
  }
}

/** What a person decides on: the host's own summary, and whose prompt caused it where it was not `isOurs`. */
export function askedCallOf(event: EventOf<'permission.requested'>, view: ToolView & { isOurs: boolean }): ToolCallUpdate {
  const { tool, input, summary, author } = event
  const who = view.isOurs ? '' : ` (asked by ${author.user === undefined ? '' : `${author.user} on `}${author.node})`
  return {
    toolCallId: toolCallIdOf(event),
    name: tool,
    title: `${oneLine(summary)}${oneLine(who)}`,
    kind: KINDS[tool] ?? 'other',
    status: 'pending',
    rawInput: input,
    content: diffOf(tool, input, view),
    locations: locationsOf(input, view),
  }
}

/** Only the host's own person may answer: an editor elsewhere can but wait. */
export const isKeptBack = ({ reserved }: EventOf<'permission.requested'>, isLocal: boolean): boolean => reserved === true && !isLocal

export const keptBackCallOf = (event: EventOf<'permission.requested'>): ToolCallUpdate => {
  const text = `${oneLine(event.summary)}: only the person at the host may allow it. There: qmtcode attach ${event.sessionId}`
  return { toolCallId: toolCallIdOf(event), status: 'pending', content: [textContent(text)] }
}

/** A tool's text as it is, in whatever renders Markdown. */
export function textContent(text: string): ToolCallContent {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return { type: 'content', content: { type: 'text', text: `${fence}\n${text}${text.endsWith('\n') ? '' : '\n'}${fence}` } }
}

function diffOf(name: string, input: Json, view: ToolView): ToolCallContent[] {
  const path = textAt(input, 'path')
  if (path === undefined) return []
  const diff = (oldText: string | null, newText: string | undefined): ToolCallContent[] =>
    newText === undefined ? [] : [{ type: 'diff', path: absolute(path, view), oldText, newText }]
  if (name === 'edit') return diff(textAt(input, 'old_string') ?? '', textAt(input, 'new_string'))
  if (name === 'write_file') return diff(null, textAt(input, 'content'))
  return []
}

function locationsOf(input: Json, view: ToolView): ToolCallLocation[] {
  const path = textAt(input, 'path')
  if (path === undefined || !view.isLocal) return []
  const line = valueAt(input, 'offset')
  return [{ path: absolute(path, view), ...(typeof line === 'number' && Number.isSafeInteger(line) && line > 0 && { line }) }]
}

const absolute = (path: string, { workspace }: ToolView): string => (isAbsolute(path) ? path : join(workspace, path))

function titleOf(name: string, input: Json): string {
  const at = (key: string): string => oneLine(textAt(input, key) ?? '')
  switch (name) {
    case 'read_file':
      return `Read ${at('path')}`
    case 'list_files':
      return `List ${at('path') || '.'}`
    case 'search_text':
      return `Search ${at('pattern')}${at('path') === '' ? '' : ` in ${at('path')}`}`
    case 'edit':
      return `Edit ${at('path')}`
    case 'write_file':
      return `Write ${at('path')}`
    case 'shell':
      return at('command') || 'shell'
    case 'question':
      return at('question') || 'question'
    default:
      return oneLine(`${name} ${JSON.stringify(input)}`)
  }
}

/** A model wrote it: no line breaks, no control or direction characters. */
export function oneLine(text: string): string {
  const line = text.slice(0, 4 * TITLE_CHARS).replace(/[\p{C}\s]+/gu, ' ')
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS - 1)}…` : line
}

function valueAt(input: Json, key: string): Json | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input) || !Object.hasOwn(input, key)) return undefined
  return input[key]
}

function textAt(input: Json, key: string): string | undefined {
  const value = valueAt(input, key)
  return typeof value === 'string' ? value : undefined
}
