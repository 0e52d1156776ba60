import { AppError, LIMITS, newSessionId } from '@qmtcode/protocol'
import type { AgentSpec, Author, SessionEvent, SessionId, SessionInfo, SessionInit, Sessions } from '@qmtcode/protocol'
import type { EventLog, SessionRow } from '../log/types.ts'
import { abortable } from './abortable.ts'
import { createCommands, openRow } from './commands.ts'
import { createEngine } from './engine.ts'
import type { Engine } from './engine.ts'
import { forkSession } from './fork.ts'
import type { HotSession } from './hot-sessions.ts'
import { recover } from './recovery.ts'
import { guestOf, nameOf } from './types.ts'
import type { LocalSessions, SessionsComponents, SessionsOptions } from './types.ts'
import type { FilePlace, WorkspaceFiles } from './workspace-files.ts'
import { checkWorkspace } from './workspace.ts'

const DEFAULT_HISTORY = 200
const DEFAULT_LIST = 50

/** The Sessions of this node: its log, its queues, its turns. */
export function createSessions(components: SessionsComponents, options: SessionsOptions): LocalSessions {
  const engine = createEngine(components, options)
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= engine.stop())
  return {
    as: (author, view = {}) => createView({ ...view, components, options, engine, author }),
    records: {
      row: (id) => components.log.session(id),
      running: (id) => engine.hot.peek(id)?.turn?.promptId,
      unfinished: () => engine.hot.all().flatMap(({ turn, queue }) => [...(turn ? [turn] : []), ...queue].map(({ author }) => author)),
      asks: (id, requestId) => engine.hot.peek(id)?.turn?.kindOf(requestId),
      authorOf: async (id, promptId) => (await components.log.prompt(id, promptId))?.author,
    },
    start: async () => {
      await engine.accounts.start()
      const found = await recover(engine, components)
      if (found.interrupted > 0) components.logger.warn('turns were interrupted by a crash', found)
    },
    judgeAgain: async () => {
      await Promise.all(engine.hot.all().map(async ({ turn }) => await turn?.judgeAgain()))
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface ViewParts {
  components: SessionsComponents
  options: SessionsOptions
  engine: Engine
  author: Author
  shows?(row: SessionRow): boolean
  presenceHeldMs?(): number
}

function createView(view: ViewParts): Sessions {
  const { engine, author } = view
  const { log } = view.components
  return {
    ...createCommands(engine, view.components, author),
    ...createLookups(view),
    create: (init) => createSession(view, init),
    agentModels: async ({ agent, workspace = view.options.defaultWorkspace } = {}) => {
      if (agent !== undefined) agentOf(view.components, agent)
      await checkWorkspace(workspace)
      return (await view.components.agentModels?.({ agent, workspace })) ?? []
    },
    fork: async (id, { at, title } = {}) => {
      engine.assertRunning()
      return await infoOf(view, await forkSession({ ...view.components, accounts: engine.accounts }, { source: id, author, at, title }))
    },
    presence: async (id) => {
      await infoOf(view, id)
      return engine.hot.peek(id)?.feed.present() ?? []
    },
    ...createFileAccess(view),
    configure: (id, { title, model, mode }) =>
      engine.command(id, async (session) => {
        await openRow(log, session)
        await engine.append(session, [{ type: 'session.configured', title, model, mode, author }], { author })
        return toInfo(await openRow(log, session), view.components.node, session)
      }),
  }
}

function createFileAccess({ components: { log, files, node }, author }: ViewParts): Pick<Sessions, 'listFiles' | 'readFile'> {
  const open = async (id: SessionId): Promise<{ files: WorkspaceFiles; place: FilePlace }> => {
    const { workspace } = await sessionRow(log, id)
    if (!files) throw new AppError('unsupported', `${node.name} gives no files of workspaces`)
    return { files, place: { sessionId: id, workspace, isGuest: guestOf(author, node) !== undefined } }
  }
  return {
    listFiles: async (id, query = {}) => {
      checkLimit(query.limit ?? 1)
      const { files: from, place } = await open(id)
      return await from.list(place, query)
    },
    readFile: async (id, path) => {
      const { files: from, place } = await open(id)
      return await from.read(place, path)
    },
  }
}

async function sessionRow(log: EventLog, id: SessionId): Promise<SessionRow> {
  const row = await log.session(id)
  if (!row) throw new AppError('not_found', `no session ${id}`, { hint: 'see: qmtcode sessions' })
  return row
}

async function infoOf({ components: { log, node }, engine }: ViewParts, id: SessionId): Promise<SessionInfo> {
  return toInfo(await sessionRow(log, id), node, engine.hot.peek(id))
}

type Lookups = Pick<Sessions, 'list' | 'get' | 'history' | 'follow'>

function createLookups(view: ViewParts): Lookups {
  const { engine, author, shows, presenceHeldMs } = view
  const { log, node } = view.components
  return {
    list: async ({ cursor, limit = DEFAULT_LIST } = {}) => {
      const before = cursor === undefined ? undefined : toCursor(cursor)
      const { rows, next } = await listShown(log, { before, limit: checkLimit(limit), shows })
      return { items: rows.map((row) => toInfo(row, node, engine.hot.peek(row.id))), cursor: next?.toString() }
    },
    get: (id) => infoOf(view, id),
    history: async (id, { before = Number.MAX_SAFE_INTEGER, limit = DEFAULT_HISTORY } = {}) => {
      const { events, more } = await log.readBack(id, { before, limit: checkLimit(limit) })
      return { items: events, cursor: more ? events[0]?.seq.toString() : undefined }
    },
    follow: (id, { after = 0, signal } = {}) =>
      abortable((ended) => followAs({ engine, author, presenceHeldMs }, id, { after, signal: ended }), signal),
  }
}

const MAX_LOOKS = 20

/** A page may hold fewer than `limit` and still have a next one: after so many looks at the log it is given as it is. */
async function listShown(
  log: EventLog,
  { before, limit, shows }: { before?: number; limit: number; shows?: (row: SessionRow) => boolean },
): Promise<{ rows: SessionRow[]; next?: number }> {
  if (!shows) return await log.list({ before, limit })
  const rows: SessionRow[] = []
  let next = before
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    const page = await log.list({ before: next, limit: limit - rows.length })
    rows.push(...page.rows.filter(shows))
    next = page.next
    if (next === undefined || rows.length === limit) break
  }
  return { rows, next }
}

async function* followAs(
  { engine, ...follower }: Pick<ViewParts, 'engine' | 'author' | 'presenceHeldMs'>,
  id: SessionId,
  { after, signal }: { after: number; signal: AbortSignal },
): AsyncGenerator<SessionEvent> {
  using held = await engine.hot.hold(id)
  engine.assertRunning()
  yield* held.session.feed.follow({ ...follower, after, signal })
}

async function createSession(view: ViewParts, init: SessionInit): Promise<SessionInfo> {
  const { components, options, author } = view
  const { log } = components
  const { workspace = options.defaultWorkspace, title, model, mode = 'build', private: isPrivate = false, unattended = false } = init
  const agent = agentOf(components, init.agent)
  await checkWorkspace(workspace)
  const id = newSessionId()
  const session = { id, private: isPrivate, unattended, mode, allow: init.allow ?? [] }
  const created = { type: 'session.created', agent: agent.id, model, workspace, title, author } as const
  await view.engine.accounts.charged({ author }, (charge) => log.create(session, created, charge))
  return await infoOf(view, id)
}

function agentOf({ agents }: SessionsComponents, id: string | undefined): AgentSpec {
  const agent = id === undefined ? agents.default() : agents.get(id)
  if (!agent) throw new AppError('not_found', `no agent ${id} here`, { hint: 'see: qmtcode agents' })
  if (agent.kind === 'remote') {
    const peer = agent.target.kind === 'peer' ? agent.target.peer : 'NODE'
    throw new AppError('unsupported', `the agent ${agent.id} runs on ${peer}: a session of this node cannot have it`, {
      hint: `qmtcode run --agent ${agent.id} "…", or qmtcode attach ${peer} --new`,
    })
  }
  return agent
}

function toInfo(row: SessionRow, node: SessionsComponents['node'], session?: HotSession): SessionInfo {
  const { unattended: _, allow: __, author: ___, interrupted: ____, bytes: _____, shares, ...info } = row
  const isStarting =
    row.state === 'idle' && session !== undefined && (session.turn !== undefined || (session.queue.length > 0 && !session.isHeld))
  return {
    ...info,
    ...(shares.length > 0 && { shares }),
    state: isStarting ? 'running' : row.state,
    node: node.name,
    peerId: node.peerId,
    followers: [...new Set((session?.feed.present() ?? []).map(nameOf))].sort(),
  }
}

function checkLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit > 0 && limit <= LIMITS.pageSize) return limit
  throw new AppError('bad_request', `limit ${limit}: a page has 1 to ${LIMITS.pageSize} items`)
}

function toCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new AppError('bad_request', `not a cursor of a page: ${cursor.slice(0, 40)}`)
}
