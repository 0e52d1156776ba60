import { RequestError } from '@agentclientprotocol/sdk'
import type { PromptResponse } from '@agentclientprotocol/sdk'
import { AppError, isAppError, toAppError, toWireError } from '@qmtcode/protocol'
import type { Clock, StopReason, Usage } from '@qmtcode/protocol'
import { redact } from '../models/redact.ts'
import type { GuestFiles } from '../guest-files/types.ts'
import type { Permissions } from '../permissions/types.ts'
import type { Workspace } from '../tools/workspace.ts'
import { createOthersWords } from '../turn/others-words.ts'
import type { OthersWords } from '../turn/others-words.ts'
import { createTurnRights } from '../turn/turn-rights.ts'
import type { TurnContext, TurnOutcome } from '../turn/types.ts'
import { addUsage, noUsage } from '../turn/usage.ts'
import type { AgentSession } from './agent-session.ts'
import { grantedBefore } from './judge.ts'
import type { JudgeOptions } from './judge.ts'
import { promptBlocks } from './prompt-blocks.ts'
import { createRecorder } from './recorder.ts'
import type { Recorder } from './recorder.ts'
import { applySettings, currentModel } from './settings.ts'
import { createTurnRequests } from './turn-requests.ts'
import type { ForeignAgent } from './types.ts'
import { readUpdate, usageSchema } from './updates.ts'

const CANCEL_GRACE_MS = 4_000 // below what a session gives its turns

export interface ForeignTurnComponents {
  permissions: Permissions
  guestFiles: GuestFiles
  clock: Clock
  /** This node's name. */
  node: string
  guestShell: JudgeOptions['guestShell']
}

/** One prompt, through an agent's open session, to its end. A session that it had to leave in an unknown state is stopped. */
export async function runForeignTurn(
  components: ForeignTurnComponents,
  turn: TurnContext,
  open: { agent: ForeignAgent; session: AgentSession; workspace: Workspace },
): Promise<TurnOutcome> {
  const { session } = open
  const { guestFiles, clock } = components
  const recorder = createRecorder(turn, components)
  const others = createOthersWords({ turn, workspace: open.workspace, guestFiles, now: () => clock.now() })
  const writing = await others.writing() // it writes by itself, as commands do
  const watch = createWatch(open.agent)
  let usage: Usage = noUsage
  listen({ ...components, turn, others, recorder, watch, onUsage: (told) => (usage = addUsage(noUsage, { ...usage, ...told })) }, open)
  try {
    const response = await converse(components, { turn, watch }, open)
    await recorder.end({ partial: response.stopReason === 'cancelled' })
    return { stopReason: STOP_REASONS[response.stopReason] ?? 'completed', usage }
  } catch (error) {
    await ignored(recorder.end({ partial: true }))
    if (turn.signal.aborted) return { stopReason: 'cancelled', usage }
    return { stopReason: 'failed', usage, error: toWireError(promptError(open.agent, error)) }
  } finally {
    watch.stop()
    session.listener = undefined
    await writing?.ended({ isError: false })
  }
}

const STOP_REASONS: Readonly<Record<string, StopReason>> = {
  end_turn: 'completed',
  max_tokens: 'length',
  max_turn_requests: 'max_steps',
  refusal: 'refused',
  cancelled: 'cancelled',
}

interface Hearing extends ForeignTurnComponents {
  turn: TurnContext
  others: OthersWords
  recorder: Recorder
  watch: Watch
  /** What is told of it; the rest stays. */
  onUsage(usage: Partial<Usage>): void
}

function listen(hearing: Hearing, { session, workspace }: { session: AgentSession; workspace: Workspace }): void {
  const { turn, others, recorder, watch, clock, guestShell } = hearing
  const forGuest = turn.guest !== undefined
  const granted = grantedBefore(turn.events, turn.author.peerId, workspace)
  const rights = createTurnRights(
    { turn, permissions: hearing.permissions },
    { allow: turn.allow, granted, forGuest, root: workspace.root, others },
  )
  const requests = createTurnRequests(
    { turn, workspace, rights, recorder, clock, pause: watch.pause, resume: watch.resume },
    { forGuest, mode: turn.mode, guestShell },
  )
  session.listener = {
    ...requests,
    heard: watch.heard,
    update: async (told) => {
      const update = readUpdate(told)
      if (!update) return
      if (update.type === 'context') return hearing.onUsage({ context: { used: update.used, size: update.size } })
      try {
        await recorder.add(update)
      } catch (error) {
        watch.fail(toAppError(error)) // the log, or a bound
      }
    },
    usage: (told) => {
      const parsed = usageSchema.safeParse(told)
      if (parsed.success) hearing.onUsage(toUsage(parsed.data))
    },
  }
}

const toUsage = ({ inputTokens, outputTokens, cachedReadTokens, thoughtTokens }: ReturnType<typeof usageSchema.parse>): Usage => ({
  inputTokens,
  outputTokens,
  cachedInputTokens: cachedReadTokens ?? undefined,
  reasoningTokens: thoughtTokens ?? undefined,
})

/** Sets what the session wants, says where the prompt goes, sends it, and waits for the agent's end of it. */
async function converse(
  { node }: ForeignTurnComponents,
  { turn, watch }: { turn: TurnContext; watch: Watch },
  { agent, session }: { agent: ForeignAgent; session: AgentSession },
): Promise<PromptResponse> {
  const { turnId, signal } = turn
  await watch.race(session.race(applySettings(session, { agentId: agent.id, model: turn.model, mode: turn.mode })))
  const facts = { agentId: agent.id, foreignId: session.id, isKnown: session.knows, takes: session.takes }
  const prompt = promptBlocks(turn, facts)
  await turn.append({
    type: 'route.chosen',
    turnId,
    agentId: agent.id,
    model: `${agent.id}/${currentModel(session.settings) ?? 'default'}`,
    node,
    reason: 'ACP agent',
    tried: [],
    foreignSessionId: session.id,
  })
  await turn.assertAllowed()
  session.knows = true
  const answer = session.race(session.agent.request('session/prompt', { sessionId: session.id, prompt }))
  const cancelled = Promise.withResolvers<never>()
  let grace: NodeJS.Timeout | undefined
  const cancel = (): void => {
    session.agent.notify('session/cancel', { sessionId: session.id }).catch(() => {}) // the grace decides
    grace = setTimeout(() => cancelled.reject(new AppError('cancelled', `agent ${agent.id} did not stop`)), CANCEL_GRACE_MS)
  }
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await watch.race(Promise.race([answer, cancelled.promise]))
  } catch (error) {
    if (!isRefusal(error)) await session.stop()
    throw error
  } finally {
    clearTimeout(grace)
    signal.removeEventListener('abort', cancel)
  }
}

/** The agent's own word on the prompt: it goes on. Anything else leaves it in a state that nobody knows. */
const isRefusal = (error: unknown): boolean => error instanceof RequestError

function promptError({ id }: ForeignAgent, error: unknown): AppError {
  if (isAppError(error)) return error
  const message = redact(error instanceof Error ? error.message : String(error))
  return new AppError('provider_error', `agent ${id} failed: ${message}`, { cause: error })
}

interface Watch {
  heard(): void
  pause(): void
  resume(): void
  fail(error: AppError): void
  race<T>(work: Promise<T>): Promise<T>
  stop(): void
}

/** Notices an agent that says nothing any more. */
function createWatch({ id, idleMs }: ForeignAgent): Watch {
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // whoever waits hears of it
  let pauses = 0
  let timer: NodeJS.Timeout | undefined
  const silent = (): void => {
    const error = new AppError('timeout', `agent ${id} said nothing for ${idleMs / 1_000} s`, {
      hint: `idle_secs of [[agents]] ${id} gives it longer`,
    })
    failed.reject(error)
  }
  const arm = (): void => {
    clearTimeout(timer)
    timer = pauses > 0 ? undefined : setTimeout(silent, idleMs)
  }
  arm()
  return {
    heard: arm,
    pause: () => {
      pauses += 1
      arm()
    },
    resume: () => {
      pauses -= 1
      arm()
    },
    fail: (error) => failed.reject(error),
    race: async (work) => {
      work.catch(() => {})
      return await Promise.race([work, failed.promise])
    },
    stop: () => {
      pauses = 1
      clearTimeout(timer)
    },
  }
}

async function ignored(work: Promise<void>): Promise<void> {
  await work.catch(() => {}) // the turn fails with what came first
}
