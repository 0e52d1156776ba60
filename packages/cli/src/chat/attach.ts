import { AppError, isDurable, toAppError } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, SessionInfo, Sessions } from '@qmtcode/protocol'
import { meshOf, withNode } from '../commands/context.ts'
import type { CommandContext } from '../commands/context.ts'
import type { AttachOptions } from '../commands/invocation.ts'
import { sessionsOf } from '../commands/run.ts'
import { newest, printHistory, sessionColumns, wholeHistory } from '../commands/sessions.ts'
import { askAboutWorkspace } from '../commands/workspace-question.ts'
import type { NodeHandle } from '../node-handle.ts'
import { createEventView } from '../output/event-view.ts'
import { ago } from '../output/format.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import type { Column } from '../output/table.ts'
import type { Attached } from './attached-file.ts'
import { converse } from './chat.ts'
import type { ChatSubject } from './chat.ts'
import { recentSeq } from './conversation.ts'
import { pick } from './pick.ts'

const LISTED = 50

/** A session of this or another node, or one that was attached before: in the chat on a terminal, else its events as they happen. */
export async function attach(context: CommandContext, options: AttachOptions): Promise<number> {
  const isChat = hasTerminal(context) && options.follow && !options.json
  if (options.node !== undefined || options.session !== undefined) return await attachTo(context, { options, isChat })
  const earlier = await chooseEarlier(context, isChat)
  if (earlier === 'left') return 130
  return await attachTo(context, { options: { ...options, node: earlier.peerId, session: earlier.sessionId }, isChat, earlier })
}

interface Subject {
  options: AttachOptions
  isChat: boolean
  /** What is gone on with. */
  earlier?: Attached
}

async function attachTo(context: CommandContext, { options, isChat, earlier }: Subject): Promise<number> {
  return await withNode(context, { needsPeers: options.node !== undefined }, async (node) => {
    const sessions = await sessionsOf(node, options.node)
    if (options.new && !isChat) return await begin(context, sessions, options)
    const session = await choose(context, sessions, options)
    if (session === 'left') return 130
    const host = options.node === undefined ? undefined : await meshOf(node).peers.resolve(options.node)
    const place = host && !host.self ? { node: host.name, peerId: host.peerId } : {}
    const seen = await notedAt(context, { ...place, sessionId: session.id, title: session.title, seq: earlier?.seq ?? session.seq })
    const isRemote = sessions !== node.sessions
    if (isChat) {
      if (!isRemote) await askAboutWorkspace(context, { workspaces: node.workspaces, directory: session.workspace })
      const named = { ...options, node: place.node }
      return await chatAbout(context, node, { sessions, session, options: named, earlier, onLeft: ({ id, seq }) => seen(id, seq) })
    }
    if (options.follow)
      return await follow(context, sessions, { session, json: options.json, isRemote, onLeft: (seq) => seen(session.id, seq) })
    const events = await wholeHistory(sessions, session.id)
    await seen(session.id, events.at(-1)?.seq ?? 0)
    if (options.json) for (const event of events) context.out.line(jsonLine(event))
    else printHistory(context, session, { events, isRemote })
    return 0
  })
}

/** Keeps that this session is attached, and from then on what was seen of it: a chat may end in another one. */
async function notedAt(
  { components, err, errStyle }: CommandContext,
  attached: Omit<Attached, 'at'>,
): Promise<(id: SessionId, seq: number) => Promise<void>> {
  const notice = (line: string): void => err.line(errStyle.yellow(printableLine(line, 500)))
  const note = async (change: Partial<Attached>): Promise<void> => {
    try {
      await components.attached(notice).note({ ...attached, ...change, at: components.clock.now() })
    } catch (error) {
      notice(`what is attached could not be kept: ${toAppError(error).message}`) // the session itself is well
    }
  }
  await note({})
  return (sessionId, seq) => note(sessionId === attached.sessionId ? { seq } : { sessionId, seq, title: '' })
}

async function chooseEarlier(context: CommandContext, isChat: boolean): Promise<Attached | 'left'> {
  const { components, err, errStyle } = context
  const list = await components.attached((line) => err.line(errStyle.yellow(printableLine(line, 500)))).list()
  if (list.length === 0) {
    throw new AppError('bad_request', 'nothing was attached from here yet', {
      hint: 'qmtcode attach NODE[/SESSION]; see: qmtcode sessions',
    })
  }
  if (isChat) return await pick(context, list, attachedColumns(components.clock.now()))
  const lines = list.map(({ node, sessionId }) => `qmtcode attach ${node === undefined ? '' : `${printableLine(node)}/`}${sessionId}`)
  throw new AppError('bad_request', `which session? attached before: ${lines.join('; ')}`, { hint: lines[0] })
}

const attachedColumns = (now: number): Column<Attached>[] => [
  { title: 'NODE', value: ({ node }) => printableLine(node ?? 'this node', 63) },
  { title: 'SEEN', value: ({ at }) => ago(at, now) },
  { title: 'ID', value: ({ sessionId }) => sessionId },
  { title: 'TITLE', value: ({ title }) => printableLine(title), min: 12 },
]

const hasTerminal = ({ components, globals }: CommandContext): boolean =>
  !globals.headless && components.stdin.isTTY === true && components.stdout.isTTY === true

const initOf = ({ agent, workspace, model, mode }: AttachOptions) => ({ agent, workspace, model, mode })

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
  if (hasTerminal(context)) return await pick(context, rows, sessionColumns(context.components.clock.now()))
  const list = rows.map(({ id, state, title }) => `${id} (${state}${title === '' ? '' : `, ${printableLine(title, 60)}`})`)
  throw new AppError('bad_request', `which session on ${printableLine(node)}? ${list.join('; ')}`, {
    hint: `qmtcode attach ${node}/${rows[0]?.id ?? 'SESSION'}`,
  })
}

interface ChatAbout {
  sessions: Sessions
  session: SessionInfo
  options: AttachOptions
  earlier?: Attached
  onLeft: ChatSubject['onLeft']
}

async function chatAbout(
  context: CommandContext,
  node: NodeHandle,
  { sessions, session, options, earlier, onLeft }: ChatAbout,
): Promise<number> {
  const { out, outStyle: style, components } = context
  const { id, agent, workspace, seq } = session
  const where = `${printableLine(agent)} on ${printableLine(options.node ?? session.node)} in ${printableLine(workspace)}`
  out.say(style.dim(`${id} · ${where} · /help, Ctrl-D to leave; the session stays`))
  const recent = recentSeq(session)
  const isKnown = earlier !== undefined && earlier.seq <= seq // else the host has another log than it had
  const after = isKnown ? Math.max(recent, earlier.seq) : recent
  if (after > 0) out.line(style.dim(`… ${after} earlier events`))
  if (isKnown) out.say(style.yellow(`── ${seq - earlier.seq} events since you were here, ${ago(earlier.at, components.clock.now())} ──`))
  return await converse(context, node, {
    sessions,
    init: { agent, workspace, model: session.model },
    attached: { id, after },
    node: options.node,
    onLeft,
  })
}

/** Until a signal, or the session's end. */
async function follow(
  context: CommandContext,
  sessions: Sessions,
  { session, json, isRemote, onLeft }: { session: SessionInfo; json: boolean; isRemote: boolean; onLeft(seq: number): Promise<void> },
): Promise<number> {
  const stop = new AbortController()
  using _ = context.interrupts.handle(() => stop.abort())
  const show = json ? (event: SessionEvent) => context.out.line(jsonLine(event)) : plainView(context, isRemote)
  let seen = 0
  try {
    for await (const event of sessions.follow(session.id, { signal: AbortSignal.any([stop.signal, context.out.gone]) })) {
      if (isDurable(event)) seen = event.seq
      show(event)
    }
  } finally {
    await onLeft(seen)
  }
  return stop.signal.aborted ? 130 : 0
}

function plainView({ out, outStyle: style }: CommandContext, isRemote: boolean): (event: SessionEvent) => void {
  const view = createEventView(
    { text: (piece) => out.write(piece), reasoning: () => {}, endMessage: () => out.write('\n'), line: (text) => out.line(text) },
    { style, isRemote },
  )
  return (event) => {
    if (event.type === 'prompt.accepted') {
      const text = event.content.map((part) => (part.type === 'text' ? part.text : `[${part.mediaType}]`)).join(' ')
      out.line(style.bold(`${printableLine(event.author.user ?? event.author.node)} › ${printableLine(text, 400)}`))
    }
    view.show(event)
  }
}
