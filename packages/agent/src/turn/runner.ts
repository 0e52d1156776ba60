import type { LanguageModelV4FunctionTool, LanguageModelV4Message } from '@ai-sdk/provider'
import { AppError, toAppError, toWireError } from '@qmtcode/protocol'
import type { Clock, DurableEvent, DurableEventInit, Logger, ModelCallOptions, Usage } from '@qmtcode/protocol'
import { z } from 'zod'
import type { GuestFiles } from '../guest-files/types.ts'
import { grantedIn } from '../permissions/granted.ts'
import type { Permissions } from '../permissions/types.ts'
import type { Tool, ToolSet } from '../tools/types.ts'
import { isAnswered } from './answered.ts'
import { openCalls } from './begun-calls.ts'
import { runModelStep } from './model-step.ts'
import type { ModelStep, StepComponents } from './model-step.ts'
import type { ModelCall } from './message-builder.ts'
import { createOthersWords } from './others-words.ts'
import { foldPrompt } from './prompt.ts'
import { createRepeatGuard } from './repeat-guard.ts'
import { systemPrompt } from './system-prompt.ts'
import { runToolCalls } from './tool-calls.ts'
import type { CallComponents } from './tool-calls.ts'
import { createTurnRights } from './turn-rights.ts'
import type { ChosenRoute, Router, RunTurn, TurnContext, TurnOutcome } from './types.ts'
import { unparsedCall } from './unparsed-call.ts'
import type { WorkspaceTrust } from '../workspace-trust/types.ts'
import { addUsage, noUsage, toUsage } from './usage.ts'

export interface TurnComponents {
  router: Router
  tools: ToolSet
  permissions: Permissions
  workspaceTrust: WorkspaceTrust
  guestFiles: GuestFiles
  clock: Clock
  log: Logger
  /** This node's name: where the tools run. */
  node: string
}

export interface TurnOptions {
  /** Model calls of one run, where the agent says nothing. Default: 100. */
  maxSteps?: number
  /**
   * Whether turns on behalf of peers are offered `shell`: never, with each call asked of this node's person, or, where there is a
   * sandbox, in it without asking. Default: no.
   */
  guestShell?: GuestShell
  /** Waits before the retries of a model call, in milliseconds. Default: 500, 2,000, 5,000. */
  retryDelaysMs?: readonly number[]
}

type GuestShell = 'no' | 'ask' | 'sandbox'

const DEFAULT_MAX_STEPS = 100

/** The loop of a turn: a model call, its tools, and again, until the model has nothing left to call. Its only memory is the log. */
export function createTurnRunner(components: TurnComponents, options: TurnOptions = {}): RunTurn {
  return async (turn) => {
    const maxSteps = turn.agent.maxSteps ?? options.maxSteps ?? DEFAULT_MAX_STEPS
    let run: Run
    if (isAnswered(turn)) return { stopReason: 'completed', usage: noUsage }
    try {
      run = await openRun(components, turn, options)
    } catch (error) {
      return { stopReason: 'failed', usage: noUsage, error: toWireError(error) }
    }
    const { calls, begun } = openCalls(turn)
    if (calls.length > 0) await runToolCalls(run.calls, calls, begun)
    for (let step = 0; step < maxSteps; step += 1) {
      const outcome = await runStep(run, turn)
      if (outcome) return { ...outcome, usage: await withContext(run) }
    }
    return { stopReason: 'max_steps', usage: await withContext(run) }
  }
}

/** What one turn carries from step to step. */
interface Run {
  events: DurableEvent[]
  system: string
  offered: LanguageModelV4FunctionTool[]
  step: StepComponents
  calls: CallComponents
  usage: Usage
  /** Steps in a row that the limit of the output cut. */
  cuts: number
  /** Where the last call went, and what it took of the context. */
  route?: ChosenRoute
  used?: number
}

async function openRun(components: TurnComponents, turn: TurnContext, options: TurnOptions): Promise<Run> {
  const { guestShell = 'no', retryDelaysMs } = options
  const { tools, clock, log, node, router, workspaceTrust, guestFiles } = components
  const forGuest = turn.guest !== undefined
  const workspace = await tools.openWorkspace(turn.workspace, turn.sessionId, { forGuest })
  const events = [...turn.events]
  const others = createOthersWords({ turn, workspace, tools, guestFiles, now: () => clock.now() })
  const append = async (init: DurableEventInit): Promise<DurableEvent> => {
    const event = await turn.append(init)
    events.push(event)
    others.observe(event)
    return event
  }
  const hasShell = guestShell === 'ask' || (guestShell === 'sandbox' && workspace.confinement.kind === 'sandbox')
  const offered = tools.all.filter((tool) => isOffered(tool, turn) && (!forGuest || isForGuests(tool, hasShell)))
  const rights = createTurnRights(
    { turn, permissions: components.permissions },
    {
      allow: turn.allow,
      granted: grantedIn(askedFor(turn.author, events), tools, workspace),
      forGuest,
      confinement: workspace.confinement,
      freeInSandbox: guestShell === 'sandbox',
      root: workspace.root,
      others,
    },
  )
  const appendRoute = routeAppender(append, turn.turnId)
  const run: Run = {
    events,
    // Where the turn may not go on, its first step says so.
    system: await systemPrompt(turn, {
      workspace,
      tools: offered,
      now: clock.now(),
      permissions: await rights.now().catch(() => undefined),
      trust: workspaceTrust,
    }),
    offered: offered.map(functionTool),
    step: {
      router,
      turn,
      append,
      usedIds: callIdsOf(events),
      retryDelaysMs,
      onRoute: async (route) => {
        run.route = route
        await appendRoute(route)
      },
    },
    calls: {
      turn,
      append,
      workspace,
      rights,
      tools: offered,
      clock,
      log,
      node,
      guard: createRepeatGuard(),
      writing: async (path) => {
        const begun = await others.writing(path?.real)
        if (begun || !path) return begun
        const written = await workspaceTrust.writing(workspace.root, path)
        return { ended: async () => await written() }
      },
    },
    cuts: 0,
    usage: events.reduce((sum, event) => (isMessageOf(turn, event) ? addUsage(sum, event.usage) : sum), noUsage),
  }
  return run
}

/** What was used, and how full the context is by now. */
async function withContext({ usage, used, route, step: { router, turn } }: Run): Promise<Usage> {
  if (used === undefined || !route || turn.signal.aborted) return usage
  const size = await router.contextTokens?.(route)
  return size === undefined ? usage : { ...usage, context: { used, size } }
}

const isAllowed = (turn: TurnContext): Promise<boolean> =>
  turn.assertAllowed().then(
    () => true,
    () => false, // the turn is aborted, and ends as the abort says
  )

const isOffered = (tool: Tool, { agent, mode }: TurnContext): boolean =>
  (agent.tools === undefined || agent.tools.includes(tool.name)) && (mode === 'build' || tool.permission === 'read')

/** Peers get the files of the workspace, and `shell` where this node says so; nothing else that it has. */
const isForGuests = ({ permission, ownOnly = false }: Tool, hasShell: boolean): boolean =>
  !ownOnly && (permission === 'read' || permission === 'edit' || (permission === 'shell' && hasShell))

/**
 * What was allowed for the session holds for the prompts of whose it was asked for: nobody lends it to another node,
 * and a fork is another session.
 */
function askedFor({ peerId }: TurnContext['author'], events: readonly DurableEvent[]): DurableEvent[] {
  const [first] = events
  const copied = (first?.type === 'session.created' && first.forkedFrom?.seq) || 0
  return events.filter((event) => event.type !== 'permission.requested' || (event.author.peerId === peerId && event.seq > copied))
}

const isMessageOf = ({ turnId }: TurnContext, event: DurableEvent): event is Extract<DurableEvent, { type: 'message.completed' }> =>
  event.type === 'message.completed' && event.turnId === turnId

/** One model call and its tools. An outcome ends the turn. */
async function runStep(run: Run, turn: TurnContext): Promise<Omit<TurnOutcome, 'usage'> | undefined> {
  if (!(await isAllowed(turn))) return { stopReason: 'cancelled' }
  const step = await runModelStep(run.step, callOptions(run))
  if (step.message.finish) {
    const used = toUsage(step.message.finish.usage)
    run.usage = addUsage(run.usage, used)
    run.used = used.inputTokens + used.outputTokens
  }
  const outcome = outcomeOf(step, run)
  if (outcome) return outcome
  const isCut = step.message.finish?.reason.unified === 'length'
  run.cuts = isCut ? run.cuts + 1 : 0
  await runToolCalls(run.calls, isCut ? step.message.calls.map(cutCall) : step.message.calls)
  if (run.calls.guard.isLooping()) return stopped('looping', LOOPING)
  return run.cuts >= MAX_CUTS ? { stopReason: 'length' } : undefined
}

const MAX_CUTS = 3 // a model that was told twice to write less does not

/** The model must know why its input is broken, or it writes as much again. */
const cutCall = (call: ModelCall): ModelCall =>
  call.problem === undefined
    ? call
    : { ...call, problem: `cut by the limit of the output: write less at once, in several calls (${call.problem})` }

function outcomeOf({ message, error }: ModelStep, run: Run): Omit<TurnOutcome, 'usage'> | undefined {
  if (error) return error.code === 'cancelled' ? { stopReason: 'cancelled' } : failed(error)
  switch (message.finish?.reason.unified) {
    case 'content-filter':
      return { stopReason: 'refused' }
    case 'error':
      return failed(new AppError('provider_error', `the model stopped with an error${rawReason(message)}`))
    case 'interrupted':
      return failed(new AppError('provider_error', "the model's answer was cut off: the connection to its server ended early"))
    case 'length':
      return message.calls.length > 0 ? undefined : { stopReason: 'length' }
    default:
      return message.calls.length > 0 ? undefined : endOf(message, run)
  }
}

/** The end of an answer that called nothing. No ending is taken for success that is none. */
function endOf(message: ModelStep['message'], { offered }: Run): Omit<TurnOutcome, 'usage'> {
  const names = offered.map(({ name }) => name)
  const called = unparsedCall(message.text, names)
  if (called !== undefined)
    return stopped('unparsed_call', { ...UNPARSED, message: `the model called ${called} in plain text: its server did not parse the call` })
  if (message.finish?.reason.unified === 'tool-calls') return stopped('unparsed_call', UNPARSED)
  if (message.content.every((part) => part.type === 'reasoning' || (part.type === 'text' && part.text.trim() === ''))) {
    return stopped('empty', message.content.some(({ type }) => type === 'reasoning') ? ONLY_THOUGHTS : EMPTY)
  }
  return { stopReason: 'completed' }
}

interface Said {
  message: string
  hint: string
}

const EMPTY: Said = { message: 'the model ended without an answer', hint: 'prompt it again, or take another model' }
const ONLY_THOUGHTS: Said = { message: 'the model ended after its thoughts, without an answer', hint: EMPTY.hint }
const UNPARSED: Said = {
  message: "the model's server said that a tool is called, and gave no call",
  hint: 'vLLM needs --enable-auto-tool-choice --tool-call-parser NAME, llama-server needs --jinja; or take a model that calls tools',
}
const LOOPING: Said = {
  message: 'the model made the same calls with the same results five times: stopped',
  hint: 'prompt it with what it should do instead, or take another model',
}

const stopped = (stopReason: TurnOutcome['stopReason'], { message, hint }: Said): Omit<TurnOutcome, 'usage'> => ({
  stopReason,
  error: toWireError(new AppError('provider_error', message, { hint })),
})

const failed = (error: unknown): Omit<TurnOutcome, 'usage'> => ({ stopReason: 'failed', error: toWireError(toAppError(error)) })

const rawReason = ({ finish }: ModelStep['message']): string => (finish?.reason.raw === undefined ? '' : ` (${finish.reason.raw})`)

const CACHED = { anthropic: { cacheControl: { type: 'ephemeral' } } } // the one provider that caches only what is marked

function callOptions({ system, events, offered }: Run): ModelCallOptions {
  const messages: LanguageModelV4Message[] = [{ role: 'system', content: system, providerOptions: CACHED }, ...foldPrompt(events)]
  const last = messages.at(-1)
  if (last) last.providerOptions = CACHED
  return offered.length === 0 ? { prompt: messages } : { prompt: messages, tools: offered, toolChoice: { type: 'auto' } }
}

function functionTool({ name, description, inputSchema }: Tool): LanguageModelV4FunctionTool {
  const { $schema: _, ...schema } = z.toJSONSchema(inputSchema, { io: 'input' })
  return { type: 'function', name, description, inputSchema: schema as LanguageModelV4FunctionTool['inputSchema'] }
}

function callIdsOf(events: readonly DurableEvent[]): Set<string> {
  const ids = new Set<string>()
  for (const event of events) {
    if (event.type !== 'message.completed') continue
    for (const part of event.content) if (part.type === 'tool-call') ids.add(part.toolCallId)
  }
  return ids
}

/** Appends `route.chosen` for the first route of a turn, and for each that differs from the one before. */
function routeAppender(append: Run['step']['append'], turnId: string): (route: ChosenRoute) => Promise<void> {
  let last: string | undefined
  return async (route) => {
    const key = JSON.stringify([route.agentId, route.model, route.node, route.peerId])
    if (key === last) return
    last = key
    await append({ type: 'route.chosen', turnId, ...route })
  }
}
