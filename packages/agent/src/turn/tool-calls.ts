import { isAppError, toAppError } from '@qmtcode/protocol'
import type { Clock, DurableEvent, DurableEventInit, Json, Logger } from '@qmtcode/protocol'
import { z } from 'zod'
import { mayShow } from '../permissions/reading.ts'
import type { BegunWrite } from '../guest-files/types.ts'
import type { PermissionDecision, PermissionSubject, SessionPermissions } from '../permissions/types.ts'
import type { Tool, ToolContext, ToolResult, ToolTarget } from '../tools/types.ts'
import type { ResolvedPath, Workspace } from '../tools/workspace.ts'
import { NONE_BEGUN } from './begun-calls.ts'
import type { BegunCall, BegunCalls } from './begun-calls.ts'
import type { ModelCall } from './message-builder.ts'
import type { RepeatGuard } from './repeat-guard.ts'
import type { TurnRights } from './turn-rights.ts'
import type { TurnContext } from './types.ts'

const PARALLEL_READS = 8
const MAX_SUMMARY_CHARS = 4_000

export interface CallComponents {
  turn: TurnContext
  append(event: DurableEventInit): Promise<DurableEvent>
  workspace: Workspace
  rights: TurnRights
  /** What the model was offered. */
  tools: readonly Tool[]
  clock: Clock
  log: Logger
  node: string
  guard: RepeatGuard
  /** Before a file is written, or a command runs (no `path`). */
  writing(path?: ResolvedPath): Promise<Pick<BegunWrite, 'ended'> | undefined>
}

/**
 * Runs a step's calls in the model's order; reading calls that stand together run at once. After an abort the rest is not begun.
 * `begun`: calls that were started before the node's last stop.
 */
export async function runToolCalls(components: CallComponents, calls: readonly ModelCall[], begun: BegunCalls = NONE_BEGUN): Promise<void> {
  const isReading = ({ name }: ModelCall): boolean => components.tools.find((tool) => tool.name === name)?.permission === 'read'
  for (let at = 0; at < calls.length && !components.turn.signal.aborted;) {
    let end = at + 1
    while (isReading(calls[at] as ModelCall) && end < calls.length && end - at < PARALLEL_READS && isReading(calls[end] as ModelCall))
      end += 1
    await runTogether(components, calls.slice(at, end), begun)
    at = end
  }
}

async function runTogether(components: CallComponents, calls: readonly ModelCall[], earlier: BegunCalls): Promise<void> {
  const begun: { call: ModelCall; ready: Prepared }[] = []
  // One after the other: a person answers one question at a time.
  for (const call of calls) {
    if (components.turn.signal.aborted) break
    const { turn, append, node } = components
    const before = earlier.get(call.id)
    if (!before) await append({ type: 'tool.started', turnId: turn.turnId, callId: call.id, name: call.name, input: call.input, node })
    begun.push({ call, ready: await prepare(components, call, before) })
  }
  const ended = await Promise.allSettled(
    begun.map(async ({ call, ready }) => {
      const startedAt = components.clock.monotonic() // a question's wait is the person's time
      const result = 'refused' in ready ? ready.refused : await execute(components, ready)
      await end(components, { call, result, durationMs: components.clock.monotonic() - startedAt })
    }),
  )
  const failed = ended.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
}

async function end(
  { turn, append, guard }: CallComponents,
  { call, result, durationMs }: { call: ModelCall; result: ToolResult; durationMs: number },
): Promise<void> {
  const { id: callId, name, input } = call
  const output = guard.note(call, result.output)
  await append({ type: 'tool.ended', turnId: turn.turnId, callId, name, input, output, isError: result.isError ?? false, durationMs })
}

const NOT_RUN = 'not run: the turn was cancelled'
const MAY_HAVE_RUN = 'interrupted: it may have run in part; look before you repeat it'

type Prepared =
  | { refused: ToolResult }
  | {
      tool: Tool
      input: unknown
      context: ToolContext
      /** What it says about its file may be shown. */
      isShown: boolean
    }

const refuse = (output: string): Prepared => ({ refused: { output, isError: true } })

/** Everything before the tool runs: does it exist, is its input one, may it. Throws only when the log cannot be written. */
async function prepare(components: CallComponents, call: ModelCall, before?: BegunCall): Promise<Prepared> {
  const { tools, workspace } = components
  const tool = tools.find(({ name }) => name === call.name)
  if (!tool)
    return refuse(
      `there is no tool ${JSON.stringify(call.name.slice(0, 100))} here; there are: ${tools.map(({ name }) => name).join(', ')}`,
    )
  if (call.problem !== undefined) return refuse(`the input of ${tool.name} is ${call.problem}`)
  const parsed = tool.inputSchema.safeParse(withoutNulls(call.input))
  if (!parsed.success) return refuse(`the input of ${tool.name} is not right:\n${z.prettifyError(parsed.error)}`)
  if (before && !before.isWaiting && tool.permission !== 'read') return refuse(MAY_HAVE_RUN)
  const target = tool.target?.(parsed.data)
  const path = await resolveTarget(workspace, target)
  if (typeof path === 'string') return refuse(path)
  const base = { tool: tool.name, permission: tool.permission, alsoReads: tool.alsoReads }
  const subject: PermissionSubject = { ...base, path: target?.path === undefined ? undefined : path, command: target?.command }
  const permitted = await permit(components, { call, tool, subject, summary: tool.summary(parsed.data), request: before?.request })
  if (typeof permitted === 'string') return refuse(permitted)
  // Somebody may have thought about it for an hour: what was allowed must still be what is there.
  const now = await resolveTarget(workspace, target)
  if (typeof now === 'string' || now.real !== path.real || now.obeyed?.by !== path.obeyed?.by)
    return refuse(`${path.shown} changed while this was asked: call again`)
  const context: ToolContext = {
    callId: call.id,
    agent: components.turn.agent.id,
    workspace,
    path,
    signal: components.turn.signal,
    ask: (question) => components.turn.question({ callId: call.id, ...question }),
    progress: (text) => components.turn.publish({ type: 'tool.progress', turnId: components.turn.turnId, callId: call.id, text }),
    words: permitted.words,
    hides: (real) => permitted.rights.hides({ ...base, path: workspace.locate(real) }),
  }
  const isAsked = subject.path === undefined || tool.permission === 'read' || tool.alsoReads === true
  return { tool, input: parsed.data, context, isShown: isAsked || mayShow(permitted.rights, path) }
}

/** A path, or why it is none. */
async function resolveTarget(workspace: Workspace, target: ToolTarget | undefined): Promise<ResolvedPath | string> {
  try {
    const root = await workspace.resolve('.')
    if (root.real !== workspace.root) return `the workspace ${workspace.root} leads to ${root.real} now: nothing is done there`
    return await workspace.resolve(target?.path ?? '.')
  } catch (error) {
    return messageOf(error)
  }
}

interface PermitQuestion {
  call: ModelCall
  tool: Tool
  subject: PermissionSubject
  summary: string
  /** As it was asked before the node's stop. */
  request?: BegunCall['request']
}

interface Permitted {
  rights: SessionPermissions
  words?: readonly string[]
}

/** The rights it runs with; or why it may not run, for the model. */
async function permit(
  { turn, rights, log }: CallComponents,
  { call, tool, subject, summary, request }: PermitQuestion,
): Promise<Permitted | string> {
  const permissions = await rights.now().catch(() => undefined)
  if (!permissions) return NOT_RUN
  const decision = permissions.decide(subject)
  if (decision.action === 'allow' || (tool.asksUser && decision.action === 'ask')) return { rights: permissions, words: decision.words }
  const shown = describe(subject, summary, decision)
  if (decision.action === 'deny') return `not allowed: ${decision.reason}`
  // What a person was shown before the node's stop must be what their answer is for.
  if (request && (request.summary !== shown || String(request.needs) !== String(decision.needs))) {
    return 'not allowed: what it acts on changed while this was asked: call again'
  }
  try {
    const { answer, reason, by } = await turn.ask({
      callId: call.id,
      tool: call.name,
      input: call.input,
      summary: shown,
      needs: decision.needs,
      ...(decision.reserved && { reserved: true }),
    })
    if (answer === 'allow_session' && !decision.reserved) rights.add({ subject, by })
    if (answer === 'deny') return deniedText(decision, reason)
    const still = await rights.allowed(decision)
    return still === undefined ? { rights: await rights.now() } : `not allowed: ${still}`
  } catch (error) {
    if (!turn.signal.aborted) log.warn('a permission could not be asked for', { tool: call.name, error: messageOf(error) })
    return turn.signal.aborted ? NOT_RUN : `not allowed: it could not be asked for (${messageOf(error)})`
  }
}

function deniedText({ needs, reserved }: PermissionDecision, reason: string | undefined): string {
  if (reason === undefined) return 'not allowed: the user said no'
  const flag = reserved || reason.includes('--allow') ? '' : ` (the user can allow it with --allow ${needs.join(',')})`
  return `not allowed: ${reason}${flag}`
}

/** One line, whatever a model wrote: the person decides on what is seen. */
function describe({ path }: PermissionSubject, summary: string, { reason }: PermissionDecision): string {
  const link = path && path.place === 'outside' && path.given !== path.real ? ` → ${path.real}` : ''
  const line = `${summary}${link}`.replaceAll('\n', ' ⏎ ').replace(/\p{C}/gu, '\u{FFFD}')
  const shown =
    line.length > MAX_SUMMARY_CHARS
      ? `${line.slice(0, MAX_SUMMARY_CHARS)}… (${line.length - MAX_SUMMARY_CHARS} more characters are not shown)`
      : line
  return reason === '' ? shown : `${shown} (${reason})`
}

async function execute(components: CallComponents, ready: Exclude<Prepared, { refused: ToolResult }>): Promise<ToolResult> {
  const { turn, log } = components
  const { tool, isShown } = ready
  try {
    await turn.assertAllowed() // whatever happened while calls beside it were asked for
  } catch {
    return { output: NOT_RUN, isError: true }
  }
  try {
    const result = await recorded(components, ready)
    return isShown ? result : unshown(ready, result.isError)
  } catch (error) {
    if (turn.signal.aborted) return { output: 'stopped: the turn was cancelled', isError: true }
    if (!isAppError(error)) log.debug('a tool threw', { tool: tool.name, error: messageOf(error) })
    return isShown ? { output: `${tool.name} failed: ${messageOf(error)}`, isError: true } : unshown(ready, true)
  }
}

/** Whatever a tool says about a file that may not be read: a line of it may be in there. */
function unshown({ tool, context }: Exclude<Prepared, { refused: ToolResult }>, isError = false): ToolResult {
  const outcome = isError ? 'failed' : 'is done'
  return {
    output: `${tool.name} ${outcome}; what it says is not shown, since [permissions] keep ${context.path.shown} from being read`,
    isError,
  }
}

/** What it writes is known as the person's, or as that of those whose words are in it. */
async function recorded(
  { writing, log }: CallComponents,
  { tool, input, context }: Exclude<Prepared, { refused: ToolResult }>,
): Promise<ToolResult> {
  const isOfFile = tool.permission === 'edit'
  if (tool.permission === 'read' || (isOfFile && tool.target === undefined)) return await tool.execute(input, context)
  const begun = await writing(isOfFile ? context.path : undefined)
  let isError = true
  try {
    const result = await tool.execute(input, context)
    isError = result.isError ?? false
    return result
  } finally {
    await begun?.ended({ isError }).catch((error: unknown) => log.warn('who wrote a file is not known', { error: messageOf(error) }))
  }
}

function messageOf(error: unknown): string {
  const { message, hint } = toAppError(error)
  return hint === undefined ? message : `${message}; ${hint}`
}

/** Models that must name every key send null for what they leave out. */
function withoutNulls(input: Json): Json {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null))
}
