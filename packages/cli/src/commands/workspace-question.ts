import { createInterface } from 'node:readline'
import { toAppError } from '@qmtcode/protocol'
import type { Workspaces } from '../node-handle.ts'
import { printableLine } from '../output/printable.ts'
import type { CommandContext } from './context.ts'
import { canAsk } from './run-questions.ts'

type Look = Awaited<ReturnType<Workspaces['look']>>
type Brought = Look['files'][number]

const MAX_LINES = 30
const QUESTION = 'trust them as they are now? y · n › '
const MEANS =
  'only then AGENTS.md is given to the model as instructions, and agents of other makers start here; git and others may run theirs anyway'

export interface AskOptions {
  /** Default: where somebody sits at the terminal. */
  mayAsk?: boolean
}

/**
 * Before a session works in a workspace: what that brings for programs and agents to obey is shown to the person, and asked about once, by
 * content. Where nobody can be asked, one line says what is not trusted.
 */
export async function askAboutWorkspace(
  context: CommandContext,
  { workspaces, directory }: { workspaces: Workspaces; directory: string },
  { mayAsk = canAsk(context) }: AskOptions = {},
): Promise<void> {
  const { err, errStyle } = context
  try {
    const { root, files } = await workspaces.look(directory)
    const left = files.filter(({ state }) => state !== 'trusted')
    if (left.length === 0) return
    if (mayAsk && left.some(({ state }) => state !== 'declined')) await ask(context, workspaces, { root, files: left })
    else err.line(errStyle.dim(untrustedLine({ root, files: left })))
  } catch (error) {
    err.line(errStyle.yellow(`what the workspace brings could not be looked at: ${printableLine(toAppError(error).message, 300)}`))
  }
}

async function ask(context: CommandContext, workspaces: Workspaces, look: Look): Promise<void> {
  const { err, errStyle } = context
  for (const line of [`${printableLine(look.root)} brings files that programs or agents obey:`, ...broughtLines(look.files), MEANS]) {
    err.line(errStyle.yellow(line))
  }
  const decision = (await isAnsweredYes(context)) ? 'trust' : 'decline'
  await workspaces.decide(look.root, look.files, decision)
  if (decision === 'decline') err.line(errStyle.dim(untrustedLine(look)))
}

/** True for yes. Without a further line it is no. */
export async function isAnsweredYes({ components, err, errStyle }: CommandContext): Promise<boolean> {
  const lines = createInterface({ input: components.stdin, terminal: false })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const say = () => err.write(errStyle.yellow(QUESTION))
  lines.on('line', (line) => {
    const word = line.trim().toLowerCase()
    if (['y', 'yes'].includes(word)) resolve(true)
    else if (['n', 'no'].includes(word)) resolve(false)
    else say()
  })
  lines.on('close', () => resolve(false))
  say()
  try {
    return await promise
  } finally {
    lines.close()
  }
}

/** A line for each, and what it does. */
export function broughtLines(files: readonly Brought[]): string[] {
  const shown = files.slice(0, MAX_LINES).map((file) => ({ ...file, path: printableLine(file.path, 60) }))
  const width = Math.max(...shown.map(({ path }) => path.length))
  const lines = shown.map(({ path, by, runs, state }) => {
    const more = STATES[state] === undefined ? '' : ` (${STATES[state]})`
    return `  ${path.padEnd(width)}  ${by} ${runs ? 'runs' : 'obeys'} what is written there${more}`
  })
  return files.length > shown.length ? [...lines, `  and ${files.length - shown.length} more`] : lines
}

const STATES: Record<Brought['state'], string | undefined> = {
  new: undefined,
  trusted: 'trusted',
  changed: 'changed since you decided',
  declined: 'you did not trust it',
}

function untrustedLine({ root, files }: Look): string {
  const names = files.slice(0, 5).map(({ path }) => printableLine(path, 60))
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : ''
  return `not trusted in this workspace: ${names.join(', ')}${more}; to see what they do, and decide: qmtcode trust ${shellWord(root)}`
}

const shellWord = (path: string): string =>
  /^[\w./@+-]+$/.test(path) ? path : `'${printableLine(path).replaceAll("'", String.raw`'\''`)}'`
