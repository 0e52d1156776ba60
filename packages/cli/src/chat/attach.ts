import { AppError } from '@qmtcode/protocol'
import type { SessionEvent, SessionInfo, Sessions } from '@qmtcode/protocol'
import { withNode } from '../commands/context.ts'
import type { CommandContext } from '../commands/context.ts'
import type { AttachOptions } from '../commands/invocation.ts'
import { sessionsOf } from '../commands/run.ts'
import { newest, printHistory, wholeHistory } from '../commands/sessions.ts'
import type { NodeHandle } from '../node-handle.ts'
import { createEventView } from '../output/event-view.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import { converse } from './chat.ts'
import { recentSeq } from './conversation.ts'
import { pick } from './pick.ts'

const LISTED = 50

/** A session of this or another node: in the chat on a terminal, else its events as they happen. */
export async function attach(context: CommandContext, options: AttachOptions): Promise<number> {
  return await withNode(context, { needsPeers: options.node !== undefined }, async (node) => {
    const sessions = await sessionsOf(node, options.node)
    const isChat = hasTerminal(context) && options.follow && !options.json
    if (options.new && !isChat) return await begin(context, sessions, options)
    const session = await choose(context, sessions, options)
    if (session === 'left') return 130
    if (isChat) return await chatAbout(context, node, { sessions, session, options })
    if (options.follow) return await follow(context, sessions, { session, json: options.json })
    const events = await wholeHistory(sessions, session.id)
    if (options.json) for (const event of events) context.out.line(jsonLine(event))
    else printHistory(context, session, events)
    return 0
  })
}

const hasTerminal = ({ components, globals }: CommandContext): boolean =>
  !globals.headless && components.stdin.isTTY === true && components.stdout.isTTY === true

const initOf = ({ agent, workspace, model }: AttachOptions) => ({ agent, workspace, model })

/** For a program: the session's id, or all of it. */
async function begin({ out }: CommandContext, sessions: Sessions, options: AttachOptions): Promise<number> {
  const session = await sessions.create(initOf(options))
  out.line(options.json ? jsonLine(session) : session.id)
  return 0
}

async function choose(context: CommandContext, sessions: Sessions, options: AttachOptions): Promise<SessionInfo | 'left'> {
  if (options.session !== undefined) return await sessions.get(options.session)
  if (options.new) return await sessions.create(initOf(options))
  const rows = await newest(sessions, LISTED)
  const node = options.node ?? 'this node'
  if (rows.length === 0) {
    throw new AppError('not_found', `no session on ${node} is open to this node`, { hint: `to begin one: qmtcode attach ${node} --new` })
  }
  if (hasTerminal(context)) return await pick(context, rows)
  const list = rows.map(({ id, state, title }) => `${id} (${state}${title === '' ? '' : `, ${printableLine(title, 60)}`})`)
  throw new AppError('bad_request', `which session on ${printableLine(node)}? ${list.join('; ')}`, {
    hint: `qmtcode attach ${node}/${rows[0]?.id ?? 'SESSION'}`,
  })
}

async function chatAbout(
  context: CommandContext,
  node: NodeHandle,
  { sessions, session, options }: { sessions: Sessions; session: SessionInfo; options: AttachOptions },
): Promise<number> {
  const { out, outStyle: style } = context
  const { id, agent, workspace } = session
  const where = `${printableLine(agent)} on ${printableLine(options.node ?? session.node)} in ${printableLine(workspace)}`
  out.line(style.dim(`${id} · ${where} · /help, Ctrl-D to leave; the session stays`))
  const earlier = recentSeq(session)
  if (earlier > 0) out.line(style.dim(`… ${earlier} earlier events`))
  return await converse(context, node, {
    sessions,
    init: { agent, workspace, model: session.model },
    attached: { id, after: earlier },
    node: options.node,
  })
}

/** Until a signal, or the session's end. */
async function follow(
  context: CommandContext,
  sessions: Sessions,
  { session, json }: { session: SessionInfo; json: boolean },
): Promise<number> {
  const stop = new AbortController()
  using _ = context.interrupts.handle(() => stop.abort())
  const show = json ? (event: SessionEvent) => context.out.line(jsonLine(event)) : plainView(context)
  for await (const event of sessions.follow(session.id, { signal: AbortSignal.any([stop.signal, context.out.gone]) })) show(event)
  return stop.signal.aborted ? 130 : 0
}

function plainView({ out, outStyle: style }: CommandContext): (event: SessionEvent) => void {
  const view = createEventView(
    { text: (piece) => out.write(piece), reasoning: () => {}, endMessage: () => out.write('\n'), line: (text) => out.line(text) },
    { style },
  )
  return (event) => {
    if (event.type === 'prompt.accepted') {
      const text = event.content.map((part) => (part.type === 'text' ? part.text : `[${part.mediaType}]`)).join(' ')
      out.line(style.bold(`${printableLine(event.author.user ?? event.author.node)} › ${printableLine(text, 400)}`))
    }
    view.show(event)
  }
}
