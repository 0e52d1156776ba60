import { isAppError } from '../errors.ts'
import type { AppError } from '../errors.ts'
import { isDurable } from '../events.ts'
import type { SessionEvent } from '../events.ts'
import type { PeerId, SessionId } from '../ids.ts'
import type { Sessions } from '../sessions.ts'
import { endCleanly } from './clean-end.ts'
import { resumed, retried } from './resumed.ts'
import type { LinkChange } from './resumed.ts'

export interface ResumingSessionsOptions {
  /** Whose sessions they are, and what it is called. */
  peerId: PeerId
  nodeName(): Promise<string>
  /** How long a link that broke may be away. 0: its loss ends what was under way. */
  graceMs: number
  /** What is followed of that peer, where others have its sessions in use too. Default: what is followed through these. */
  followed?: FollowedSessions
}

/**
 * Sessions of a peer that outlive their link. A follow goes on after the last durable event it gave, and tells `link.lost` and
 * `link.restored` in between; calls that may run twice are made again when the link is back. `create` may not: it throws link_lost.
 * A call that finds the peer away waits for it as long as a follow of its session does; else it throws peer_unreachable at once.
 */
export function resumingSessions(sessions: Sessions, options: ResumingSessionsOptions): Sessions {
  const { peerId, nodeName, graceMs, followed = createFollowedSessions() } = options

  /** For what may run twice: its answer may have been lost with the link. */
  async function again<Value>(call: () => Promise<Value>, id?: SessionId): Promise<Value> {
    let wasLost = false
    const waitsAfter = (error: AppError): boolean => {
      wasLost ||= error.code === 'link_lost'
      return wasLost ? isAway(error) : isAwaited(error, id)
    }
    return await retried(call, { graceMs, node: await nodeName(), waitsAfter })
  }
  /** For what the host takes once: a conflict after the first call says that this one may have arrived. */
  async function settled(id: SessionId, call: () => Promise<void>): Promise<void> {
    let calls = 0
    const attempt = async (): Promise<void> => {
      calls += 1
      try {
        await call()
      } catch (error) {
        if (calls === 1 || !isAppError(error, 'conflict')) throw error
      }
    }
    await again(attempt, id)
  }
  /** For what may not: made again only while it never left this node. */
  async function once<Value>(id: SessionId, call: () => Promise<Value>): Promise<Value> {
    return await retried(call, { graceMs, node: await nodeName(), waitsAfter: (error) => isAwaited(error, id) })
  }
  const isAwaited = (error: AppError, id: SessionId | undefined): boolean =>
    error.code === 'peer_unreachable' && id !== undefined && followed.has(id)
  async function* follow(id: SessionId, after: number, signal: AbortSignal | undefined): AsyncGenerator<SessionEvent> {
    const node = await nodeName()
    let last = after
    using _ = followed.enter(id)
    const events = resumed<SessionEvent>((_again, ended) => sessions.follow(id, { after: last, signal: ended }), {
      graceMs,
      node,
      signal,
      isBack: () => sessions.get(id), // an idle session has nothing to tell
    })
    for await (const event of events) {
      if (!isEvent(event)) {
        yield { ...event, sessionId: id, at: Date.now(), peerId, node }
        continue
      }
      if (isDurable(event)) last = event.seq
      yield event
    }
  }
  return {
    ...sessions,
    list: (query) => again(() => sessions.list(query)),
    agentModels: (query) => again(() => sessions.agentModels(query)),
    get: (id) => again(() => sessions.get(id), id),
    prompt: (id, prompt) => again(() => sessions.prompt(id, prompt), id), // its promptId makes it one
    history: (id, range) => again(() => sessions.history(id, range), id),
    listFiles: (id, query) => again(() => sessions.listFiles(id, query), id),
    readFile: (id, path) => again(() => sessions.readFile(id, path), id),
    presence: (id) => again(() => sessions.presence(id), id),
    cancel: (id, promptId) => again(() => sessions.cancel(id, promptId), id),
    answer: (id, answer) => settled(id, () => sessions.answer(id, answer)), // who answered is in the log
    resume: (id) => settled(id, () => sessions.resume(id)),
    configure: (id, change) => once(id, () => sessions.configure(id, change)),
    fork: (id, at) => once(id, () => sessions.fork(id, at)),
    share: (id, share) => once(id, () => sessions.share(id, share)),
    unshare: (id, other) => once(id, () => sessions.unshare(id, other)),
    close: (id) => once(id, () => sessions.close(id)),
    delete: (id) => once(id, () => sessions.delete(id)),
    follow: (id, { after = 0, signal } = {}) => endCleanly(follow(id, after, signal), signal),
  }
}

const isAway = (error: AppError): boolean => isAppError(error, 'link_lost', 'peer_unreachable')

/** Which sessions of one peer are followed right now; a follow whose link is away counts until its grace is over. */
export interface FollowedSessions {
  /** Until the returned one is disposed. */
  enter(id: SessionId): Disposable
  has(id: SessionId): boolean
}

export function createFollowedSessions(): FollowedSessions {
  const follows = new Map<SessionId, number>()
  return {
    enter: (id) => {
      follows.set(id, (follows.get(id) ?? 0) + 1)
      return {
        [Symbol.dispose]: () => {
          const left = (follows.get(id) ?? 0) - 1
          if (left > 0) follows.set(id, left)
          else follows.delete(id)
        },
      }
    },
    has: (id) => follows.has(id),
  }
}

/** What the host sent, and not what this side tells. */
const isEvent = (event: SessionEvent | LinkChange): event is SessionEvent => 'sessionId' in event
