import { ACCESS, AppError, isAppError, isDurable, roleIncludes } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import type { AgentCatalog, LocalSessions } from '../types.ts'
import type { PeerBounds } from './bounds.ts'
import { NEEDS, rightsOn } from './rights.ts'
import type { Caller, Need } from './rights.ts'
import { checkModel, sharedAgentModels, sharedInit } from './share.ts'
import type { SharedSessions } from './share.ts'

export interface PeerSessionsComponents {
  sessions: LocalSessions
  agents: AgentCatalog
  /** Shared by the views of all peers. */
  bounds: PeerBounds
  /** This node. */
  node: { readonly name: string }
  /** Calls wait for it: peers may come before the log is read. */
  ready?: Promise<unknown>
  /** How long who follows counts as present after the link to it broke. Default: not at all. */
  presenceGraceMs?: number
}

export interface PeerSessionsOptions {
  /** An admitted peer, by the name that this node knows it by. */
  caller: Caller & { name: string; isAllowed?(): boolean }
  share: SharedSessions
}

/** The sessions of this node as one peer may use them: each call is judged here, by its role of now and its rights on the session. */
export function createPeerSessions(components: PeerSessionsComponents, { caller, share }: PeerSessionsOptions): Sessions {
  const { sessions, bounds, node, ready, presenceGraceMs = 0 } = components
  const { records } = sessions
  const may = (rights: ReadonlySet<Need>, need: Need): boolean => rights.has(need)
  const view = sessions.as(
    { peerId: caller.peerId, node: caller.name },
    {
      shows: (row) => may(rightsOn(row, caller, share), 'row'),
      presenceHeldMs: () => (caller.isAllowed?.() === false ? 0 : presenceGraceMs), // who is banned is gone
    },
  )

  async function rightsFor(id: SessionId): Promise<ReadonlySet<Need>> {
    await ready
    const row = await records.row(id)
    const rights = row ? rightsOn(row, caller, share) : new Set<Need>()
    if (rights.size > 0) return rights
    throw new AppError('not_found', `no session ${id} on ${node.name}, or none that is given to this node`, {
      hint: `on ${node.name}: qmtcode sessions share ${id} --with ${caller.name} --as observe`,
    })
  }
  async function require(id: SessionId, method: keyof typeof NEEDS): Promise<void> {
    const need = NEEDS[method]
    if (may(await rightsFor(id), need)) return
    throw forbidden(id, method, need)
  }
  async function requireClient(): Promise<void> {
    await ready
    if (roleIncludes(caller.role(), ACCESS.sessions.create.role)) return
    throw new AppError('forbidden', `${node.name} gives this node the role ${caller.role()}, which may not create sessions`, {
      hint: `on ${node.name}: qmtcode peers role ${caller.peerId} client`,
    })
  }
  function forbidden(id: SessionId, method: string, need: Need): AppError {
    const given = need === 'reply' ? 'prompt' : need
    const to = need === 'owner' ? 'only its host may, and its creator as a client' : `it needs the right ${given}`
    const hint = need === 'owner' ? undefined : `on ${node.name}: qmtcode sessions share ${id} --with ${caller.name} --as ${given}`
    return new AppError('forbidden', `session ${id} on ${node.name}: ${method} is not allowed to this node; ${to}`, { hint })
  }
  /** The events tell when the right to them goes: those before it are the caller's, those after it are not. */
  async function* follow(id: SessionId, options: Parameters<Sessions['follow']>[1]): AsyncGenerator<SessionEvent> {
    await ready
    using _ = bounds.follow(caller)
    const known = (await records.row(id))?.seq ?? 0 // first: what changes after it is heard of below
    await require(id, 'follow')
    for await (const event of heard(view.follow(id, options))) {
      yield event
      if (!isDurable(event) || event.seq <= known) continue
      if ((event.type === 'session.unshared' || event.type === 'session.shared') && event.peerId === caller.peerId)
        await require(id, 'follow')
    }
    // Nothing but its caller ends a follow: this node stops. To whoever follows that is a link that broke, and may be back.
    if (!options?.signal?.aborted) throw stopping()
  }
  const stopping = (): AppError => new AppError('link_lost', `${node.name} stops`, { hint: 'the session is there when it is back' })
  /** What this node refuses because it stops is asked again when it is back. */
  const asked = async <Value>(call: Promise<Value>): Promise<Value> => {
    try {
      return await call
    } catch (error) {
      throw isAppError(error, 'interrupted') ? stopping() : error
    }
  }
  async function* heard(events: AsyncIterable<SessionEvent>): AsyncGenerator<SessionEvent> {
    try {
      yield* events
    } catch (error) {
      throw isAppError(error, 'interrupted') ? stopping() : error
    }
  }

  return {
    create: async (init) => {
      await requireClient()
      return await bounds.create(caller, async () => await view.create(await sharedInit(components, share, init)))
    },
    agentModels: async (query = {}) => {
      await requireClient()
      return await sharedAgentModels(components, share, { query, models: view.agentModels })
    },
    list: async (query) => {
      await ready
      return await view.list(query)
    },
    get: async (id) => {
      await require(id, 'get')
      return await view.get(id)
    },
    prompt: async (id, prompt) => {
      await require(id, 'prompt')
      if ((await records.authorOf(id, prompt.promptId)) === undefined) bounds.prompt(caller) // a repeat runs nothing
      return await asked(view.prompt(id, prompt))
    },
    answer: async (id, answer) => {
      const kind = records.asks(id, answer.id) ?? (typeof answer.answer === 'string' ? 'permission' : 'question')
      await require(id, kind === 'question' ? 'reply' : 'answer')
      await asked(view.answer(id, answer))
    },
    cancel: async (id, promptId) => {
      const rights = await rightsFor(id)
      if (may(rights, NEEDS.cancel)) return await asked(view.cancel(id, promptId))
      const own = promptId ?? records.running(id)
      const isOwn = own === undefined || (await records.authorOf(id, own))?.peerId === caller.peerId
      if (!may(rights, 'prompt') || !isOwn) throw forbidden(id, 'cancel', NEEDS.cancel)
      if (own !== undefined) await asked(view.cancel(id, own))
    },
    resume: async (id) => {
      await require(id, 'resume')
      await asked(view.resume(id))
    },
    configure: async (id, change) => {
      await require(id, 'configure')
      checkModel(components, share, change.model)
      return await view.configure(id, change)
    },
    history: async (id, range) => {
      await require(id, 'history')
      return await view.history(id, range)
    },
    follow: (id, options) => follow(id, options),
    fork: async (id, options) => {
      await require(id, 'fork')
      await requireClient()
      const row = await records.row(id)
      if (row) await sharedInit(components, share, { agent: row.agent, workspace: row.workspace, model: row.model }) // as if it were begun now
      return await bounds.create(caller, () => view.fork(id, options))
    },
    listFiles: async (id, query) => {
      await require(id, 'listFiles')
      return await view.listFiles(id, query)
    },
    readFile: async (id, path) => {
      await require(id, 'readFile')
      return await view.readFile(id, path)
    },
    presence: async (id) => {
      await require(id, 'presence')
      return await view.presence(id)
    },
    share: async (id, given) => {
      await require(id, 'share')
      await view.share(id, given)
    },
    unshare: async (id, peerId) => {
      await require(id, 'unshare')
      await view.unshare(id, peerId)
    },
    close: async (id) => {
      await require(id, 'close')
      await view.close(id)
    },
    delete: async (id) => {
      await require(id, 'delete')
      await view.delete(id)
    },
  }
}
