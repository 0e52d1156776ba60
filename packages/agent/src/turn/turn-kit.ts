import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newPromptId, newSessionId, silentLogger, systemClock } from '@qmtcode/protocol'
import type {
  AgentSpec,
  DurableEvent,
  DurableEventInit,
  LiveEventInit,
  ModelCallOptions,
  ModelPart,
  PermissionAnswer,
  PromptId,
  QuestionReply,
} from '@qmtcode/protocol'
import { createGuestFiles } from '../guest-files/guest-files.ts'
import { createPermissions } from '../permissions/permissions.ts'
import type { PermissionOptions } from '../permissions/types.ts'
import type { Confinement, Sandbox } from '../sandbox/types.ts'
import { createTools } from '../tools/tool-set.ts'
import type { Tool } from '../tools/types.ts'
import { createWorkspaceTrust } from '../workspace-trust/workspace-trust.ts'
import { createTurnRunner } from './runner.ts'
import type { ChosenRoute, RoutedCall, Router, TurnContext, TurnOutcome } from './types.ts'

/** What the scripted model does in one call: its parts, or a function that makes them (and may wait, or throw). */
export type ScriptStep = ModelPart[] | ((call: RoutedCall) => AsyncIterable<ModelPart>)

export const finish = (unified: 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'interrupted' = 'stop'): ModelPart => ({
  type: 'finish',
  finishReason: { unified, raw: undefined },
  usage: {
    inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 5, text: 5, reasoning: 0 },
  },
})

export const says = (text: string): ModelPart[] => [
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: text },
  { type: 'text-end', id: 't' },
  finish(),
]

export const calls = (...wanted: [name: string, input: unknown, id?: string][]): ModelPart[] => [
  ...wanted.map(([toolName, input, id], index): ModelPart => ({
    type: 'tool-call',
    toolCallId: id ?? `${toolName}-${index}`,
    toolName,
    input: typeof input === 'string' ? input : JSON.stringify(input),
  })),
  finish('tool-calls'),
]

export interface TurnKit extends AsyncDisposable {
  workspace: string
  qmtHome: string
  events: DurableEvent[]
  live: LiveEventInit[]
  /** What the model was sent, call by call. */
  sent: ModelCallOptions[]
  questions: Parameters<TurnContext['question']>[0][]
  asked: { tool: string; summary: string; needs?: string[] }[]
  controller: AbortController
  /** As the person does: what the workspace brings is obeyed. */
  trust(): Promise<void>
  /** As a turn of a guest in another session does. */
  guestWrites(path: string): Promise<void>
  /** A command, which does not end. */
  guestBegins(): Promise<void>
  /** Accepts a prompt and runs its turn. */
  run(prompt: string, change?: Partial<TurnContext>): Promise<TurnOutcome>
  /** Goes on with a turn whose events are in the log. */
  resume(turn: { promptId: PromptId; turnId: string }): Promise<TurnOutcome>
  /** What follows is in another session, after a restart of the node. */
  newSession(): void
  log(init: DurableEventInit): Promise<DurableEvent>
  ended(): { name: string; output: string; isError: boolean }[]
}

export interface KitOptions {
  script: ScriptStep[]
  permissions?: PermissionOptions
  /** What a person answers; default: nobody is there. */
  answer?: PermissionAnswer
  /** What a person replies to questions; default: nobody is there. */
  reply?: QuestionReply
  /** While the person thinks. */
  onAsk?: () => Promise<void>
  routes?: Partial<ChosenRoute>[]
  extra?: Tool[]
  /** What the tools believe to hold commands; nothing does. */
  confinement?: Confinement
  maxSteps?: number
  guestShell?: 'ask' | 'sandbox'
  retryDelaysMs?: readonly number[]
}

const agent: AgentSpec = { id: 'main', name: 'main', description: '', kind: 'local', capabilities: [], target: { kind: 'local' } }

/** A turn runner over a real workspace and real tools, with a log in memory and a scripted model. */
export async function createTurnKit(options: KitOptions): Promise<TurnKit> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'qmt-turn-')))
  const [workspace, qmtHome] = [join(base, 'work'), join(base, 'home')]
  await mkdir(workspace)
  await mkdir(qmtHome)
  const [events, live, sent, asked]: [DurableEvent[], LiveEventInit[], ModelCallOptions[], TurnKit['asked']] = [[], [], [], []]
  const controller = new AbortController()
  const sessionId = newSessionId()
  const questions: TurnKit['questions'] = []
  let turns = 0
  const log = async (init: DurableEventInit): Promise<DurableEvent> => {
    // Through JSON, as the real log.
    const event = JSON.parse(JSON.stringify({ ...init, sessionId, seq: events.length + 1, at: systemClock.now() })) as DurableEvent
    events.push(event)
    return event
  }
  const openGuestFiles = () => createGuestFiles({ clock: systemClock, log: silentLogger }, { qmtHome })
  let guestFiles = openGuestFiles()
  const trust = createWorkspaceTrust({ qmtHome })
  const router = scriptedRouter(options, sent)
  const createRunner = () =>
    createTurnRunner(
      {
        router,
        tools: createTools({ env: process.env, sandbox: believed(options.confinement) }, { qmtHome, extra: options.extra }),
        permissions: createPermissions(options.permissions),
        workspaceTrust: trust,
        guestFiles,
        clock: systemClock,
        log: silentLogger,
        node: 'here',
      },
      { maxSteps: options.maxSteps, guestShell: options.guestShell, retryDelaysMs: options.retryDelaysMs },
    )
  let runTurn = createRunner()
  const author = { node: 'here' }
  const go = async ({ promptId, turnId }: { promptId: PromptId; turnId: string }, change?: Partial<TurnContext>): Promise<TurnOutcome> => {
    const ask: TurnContext['ask'] = async ({ callId, tool, input, summary, needs }) => {
      asked.push({ tool, summary, needs })
      const id = `perm-${asked.length}`
      await log({ type: 'permission.requested', turnId, id, callId, tool, input, summary, author })
      await options.onAsk?.()
      const answer = options.answer ?? 'deny'
      const reason = options.answer ? undefined : 'nobody is here to ask'
      await log({ type: 'permission.answered', turnId, id, answer, reason })
      return { answer, reason }
    }
    const question: TurnContext['question'] = async (question) => {
      questions.push(question)
      return options.reply ? { reply: options.reply, by: author } : { reason: 'nobody is here to ask' }
    }
    const outcome = await runTurn({
      sessionId,
      turnId,
      promptId,
      agent,
      mode: 'build',
      workspace,
      author,
      isGuest: ({ node }) => node !== 'here',
      allow: [],
      events: [...events],
      append: log,
      publish: (event) => live.push(event),
      ask,
      question,
      assertAllowed: () => Promise.resolve(),
      mayAnswer: () => Promise.resolve(true),
      signal: controller.signal,
      ...change,
    })
    await log({ type: 'turn.ended', turnId, promptId, stopReason: outcome.stopReason, usage: outcome.usage, error: outcome.error })
    return outcome
  }
  return {
    workspace,
    qmtHome,
    events,
    live,
    sent,
    asked,
    questions,
    controller,
    trust: async () => await trust.decide(workspace, (await trust.look(workspace)).files, 'trust'),
    guestBegins: async () => {
      await guestFiles.writing({ by: 'bob', root: workspace })
    },
    guestWrites: async (path) => {
      const begun = await guestFiles.writing({ by: 'bob', root: workspace, path: join(workspace, path) })
      await begun.ended({ isError: false })
    },
    log,
    ended: () => events.filter((event) => event.type === 'tool.ended').map(({ name, output, isError }) => ({ name, output, isError })),
    async run(text, change) {
      const promptId = change?.promptId ?? newPromptId()
      turns += 1
      const turnId = change?.turnId ?? `turn-${turns}`
      if (!change?.promptId)
        await log({ type: 'prompt.accepted', promptId, author: change?.author ?? author, content: [{ type: 'text', text }], position: 0 })
      await log({ type: 'turn.started', turnId, promptId })
      return await go({ promptId, turnId }, change)
    },
    resume: (turn) => go(turn),
    newSession() {
      events.length = 0
      guestFiles = openGuestFiles()
      runTurn = createRunner()
    },
    [Symbol.asyncDispose]: async () => await rm(base, { recursive: true, force: true }),
  }
}

const believed = (confinement: Confinement | undefined): Sandbox | undefined =>
  confinement && { confine: () => Promise.resolve(confinement) }

function scriptedRouter({ script, routes }: KitOptions, sent: ModelCallOptions[]): Router {
  let step = 0
  return {
    open: async (call) => {
      sent.push(structuredClone(call.options))
      const next = script[step]
      const route = { agentId: call.agent.id, model: 'test/model', node: 'here', reason: 'configured', tried: [], ...routes?.[step] }
      step += 1
      if (!next) throw new Error('the script has no further step')
      return { route, parts: typeof next === 'function' ? next(call) : yieldAll(next) }
    },
  }
}

async function* yieldAll(parts: readonly ModelPart[]): AsyncGenerator<ModelPart> {
  yield* parts
}
