import { isAppError, newPromptId } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, SessionInfo, Sessions } from '@qmtcode/protocol'
import { placeOfAgent } from '../node/agent-place.ts'
import type { AgentPlace } from '../node/agent-place.ts'
import type { NodeHandle } from '../node-handle.ts'
import { errorLines } from '../output/errors.ts'
import { createEventView } from '../output/event-view.ts'
import type { EventView } from '../output/event-view.ts'
import { duration } from '../output/format.ts'
import { jsonLine } from '../output/printable.ts'
import { allowFlag, needsOf } from '../output/tool-text.ts'
import { stopText, turnError, turnExitCode, usageText } from '../output/turn-end.ts'
import { meshOf, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { followTurn } from './follow-turn.ts'
import type { FollowTurnOptions } from './follow-turn.ts'
import type { RunOptions } from './invocation.ts'
import { readMentions } from './mentions.ts'
import { promptText } from './prompt-input.ts'
import { canAsk, createRunQuestions } from './run-questions.ts'
import type { RunQuestions } from './run-questions.ts'
import { askAboutWorkspace } from './workspace-question.ts'

/** One prompt to its end: the answer on stdout, all else on stderr. */
export async function run(context: CommandContext, options: RunOptions): Promise<number> {
  const source = {
    stdin: context.components.stdin,
    signal: context.interrupts.signal,
    notice: (said: string) => context.err.line(context.errStyle.dim(said)),
  }
  const text = await context.interrupts.race(promptText(options.prompt, source))
  return await withNode(context, {}, async (node) => {
    const place = await placeOf(context, node, options)
    const { sessions } = place
    const known = options.session === undefined ? undefined : await sessions.get(options.session)
    const session = known ?? (await create(context, place, options))
    if (known && options.model !== undefined) await sessions.configure(known.id, { model: options.model })
    const isAsked = canAsk(context) && !options.json
    if (sessions === node.sessions) {
      await askAboutWorkspace(context, { workspaces: node.workspaces, directory: session.workspace }, { mayAsk: isAsked })
    }
    const promptId = newPromptId()
    const begin = async () => {
      const { content, notices } = await readMentions(sessions, session.id, text)
      for (const notice of notices) context.err.line(context.errStyle.dim(notice))
      const { position } = await sessions.prompt(session.id, { promptId, content })
      if (position > 0) context.err.line(`waiting behind ${position} other ${position === 1 ? 'prompt' : 'prompts'} of ${session.id}`)
    }
    const answer = !isAsked && known && known.followers.length === 0 ? answerFor(sessions, options.allow) : undefined
    using questions = isAsked
      ? createRunQuestions(context, {
          isHost: sessions === node.sessions,
          answer: (given) => sessions.answer(session.id, given),
        })
      : undefined
    return await showTurn(
      context,
      { sessions, id: session.id, after: known?.seq ?? 0, promptId, begin },
      { json: options.json, answer, questions, isRemote: sessions !== node.sessions },
    )
  })
}

/** The sessions of this node, or of the peer that `written` names. */
export async function sessionsOf(node: NodeHandle, written: string | undefined): Promise<Sessions> {
  if (written === undefined) return node.sessions
  const { peers } = meshOf(node)
  const peer = await peers.resolve(written)
  return peer.self ? node.sessions : peers.sessions(peer.peerId)
}

async function placeOf({ components }: CommandContext, node: NodeHandle, { node: named, agent }: RunOptions): Promise<AgentPlace> {
  if (named === undefined) return await placeOfAgent(node, { agent, workspace: components.cwd })
  return { sessions: await sessionsOf(node, named), init: { agent } } // another host has workspaces of its own
}

async function create(context: CommandContext, { sessions, init }: AgentPlace, options: RunOptions): Promise<SessionInfo> {
  const unattended = options.json || !canAsk(context)
  const { model, mode, allow } = options
  return await sessions.create({ ...init, model, mode, unattended, allow })
}

type Asked = Extract<SessionEvent, { type: 'permission.requested' | 'question.asked' }>
type Answer = (id: SessionId, request: Asked) => Promise<boolean>

/** Answers in a session that expects a person: yes for what `--allow` names, else no, and nothing to a question. True: denied for want of a person. */
function answerFor(sessions: Sessions, allow: readonly string[]): Answer {
  return async (id, request) => {
    const allowed = request.type === 'permission.requested' && needsOf(request).every((need) => allow.includes(need))
    try {
      await sessions.answer(id, { id: request.id, answer: allowed ? 'allow' : 'deny' })
      return request.type === 'permission.requested' && !allowed
    } catch (error) {
      if (isAppError(error, 'conflict', 'forbidden')) return false // somebody else was there, or will be: it is not for this node to answer
      throw error
    }
  }
}

export interface ShowTurnOptions {
  json: boolean
  answer?: Answer
  questions?: RunQuestions
  /** The session is another node's. */
  isRemote?: boolean
}

/** Shows a turn as it happens; returns its exit code. */
export async function showTurn(
  context: CommandContext,
  turn: Omit<FollowTurnOptions, 'show'>,
  { json, answer, questions, isRemote }: ShowTurnOptions,
): Promise<number> {
  const { err, errStyle, out, components } = context
  const startedAt = components.clock.monotonic()
  const view = createRunView(context, { json, isRemote })
  const denied: string[] = []
  const show = async (event: SessionEvent, ours: boolean): Promise<void> => {
    if (json) out.line(jsonLine(event))
    if (!ours) return
    view.show(event)
    questions?.show(event)
    if (event.type === 'question.asked') await answer?.(turn.id, event)
    if (event.type === 'permission.requested' && (await answer?.(turn.id, event))) denied.push(...needsOf(event))
  }
  const ended = await followTurn(context, { ...turn, show })
  if (ended === undefined) {
    err.line(errStyle.yellow('cancelled'))
    return 130
  }
  if (json) denied.push(...view.unanswered) // else told where it happened
  if (denied.length > 0) err.line(`nobody was here to answer; to allow it: ${allowFlag(denied)}`)
  const error = turnError(ended)
  if (error) for (const line of errorLines(error, errStyle)) err.line(line)
  const stopped = stopText(ended)
  if (stopped !== undefined) err.line(errStyle.yellow(stopped))
  if (!json) {
    const took = duration(components.clock.monotonic() - startedAt)
    err.line(errStyle.dim([took, usageText(ended), turn.id].filter((part) => part !== undefined).join(' · ')))
  }
  return turnExitCode(ended, view.unanswered.size + denied.length > 0)
}

/** The answer goes to stdout as it streams, the lines to stderr. In JSON mode the events are on stdout, and nothing else but trouble is told. */
function createRunView({ out, err, errStyle }: CommandContext, { json, isRemote }: ShowTurnOptions): EventView {
  let midLine = false
  const quiet = { text: () => {}, reasoning: () => {}, endMessage: () => {}, line: () => {} }
  const options = { style: errStyle, namesFlags: true, isRemote }
  if (json) return createEventView(quiet, options)
  const endLine = () => {
    if (midLine) out.write('\n')
    midLine = false
  }
  return createEventView(
    {
      ...quiet,
      text: (piece) => {
        out.write(piece)
        if (piece !== '') midLine = !piece.endsWith('\n')
      },
      endMessage: endLine,
      line: (text) => {
        if (out.isTTY) endLine()
        err.line(text)
      },
    },
    options,
  )
}
