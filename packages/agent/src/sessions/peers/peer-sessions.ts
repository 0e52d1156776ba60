import { ACCESS, AppError, isAppError, isDurable, roleIncludes } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import type { LocalSessions } from '../types.ts'
import type { PeerBounds } from './bounds.ts'
import { assertMay, notGiven } from './judge.ts'
import type { JudgeComponents, Use } from './judge.ts'
import { NEEDS, rightsOn } from './rights.ts'
import type { Caller } from './rights.ts'
import { checkModel, sharedAgentModels, sharedInit } from './share.ts'
import type { SharedSessions } from './share.ts'

export interface PeerSessionsComponents extends JudgeComponents {
  sessions: LocalSessions
  /** Shared by the views of all peers. */
  bounds: PeerBounds
  /** Calls wait for it: peers may come before the log is read. */
  ready?: Promise<unknown>
  /** How long who follows counts as present after the link to it broke. Default: not at all. */
  presenceGraceMs?: number
}

export interface PeerSessionsOptions {
  /** An admitted peer, by the name that this node knows it by. */
  caller: Caller & { name: string }
  share: SharedSessions
}

/** The sessions of this node as one peer may use them: each call is judged here, by its role of now and its rights on the session. */
export function createPeerSessions(components: PeerSessionsComponents, { caller, share }: PeerSessionsOptions): Sessions {
  const { sessions, bounds, node, ready, presenceGraceMs = 0 } = components
  const { records } = sessions
  const view = sessions.as(
    { peerId: caller.peerId, node: caller.name },
    {
      shows: (row) => rightsOn(row, caller, share).has('row'),
      presenceHeldMs: () => (caller.isAllowed?.() === false ? 0 : presenceGraceMs), // who is banned is gone
    },
  )

  async function require(id: SessionId, use: Use, { model }: { model?: string } = {}): Promise<void> {
    await ready
    await assertMay(components, { caller, share }, { id, row: await records.row(id), use, model })
  }
  async function requireClient(): Promise<void> {
    await ready
    if (roleIncludes(caller.role(), ACCESS.sessions.create.role)) return
    throw new AppError('forbidden', `${node.name} gives this node the role ${caller.role()}, which may not create sessions`, {
      hint: `on ${node.name}: qmtcode peers role ${caller.peerId} client`,
    })
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
      await require(id, 'get')
      const row = await records.row(id)
      const rights = row && rightsOn(row, caller, share)
      if (rights?.has(NEEDS.cancel)) return await asked(view.cancel(id, promptId))
      const own = promptId ?? records.running(id)
      const isOwn = own === undefined || (await records.authorOf(id, own))?.peerId === caller.peerId
      if (!rights?.has('prompt') || !isOwn) throw notGiven(components, caller, { id, use: 'cancel' })
      if (own !== undefined) await asked(view.cancel(id, own))
    },
    resume: async (id) => {
      await require(id, 'resume')
      await asked(view.resume(id))
    },
    configure: async (id, change) => {
      await require(id, 'configure', change)
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
