import { isAppError } from '../errors.ts'
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
}

/**
 * Sessions of a peer that outlive their link. A follow goes on after the last durable event it gave, and tells `link.lost` and
 * `link.restored` in between; calls that may run twice are made again when the link is back. `create` may not: it throws link_lost.
 */
export function resumingSessions(sessions: Sessions, options: ResumingSessionsOptions): Sessions {
  const { peerId, nodeName, graceMs } = options

  async function again<Value>(call: () => Promise<Value>): Promise<Value> {
    return await retried(call, { graceMs, node: await nodeName() })
  }
  async function* follow(id: SessionId, after: number, signal: AbortSignal | undefined): AsyncGenerator<SessionEvent> {
    const node = await nodeName()
    let last = after
    const events = resumed<SessionEvent>((_again, ended) => sessions.follow(id, { after: last, signal: ended }), { graceMs, node, signal })
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
    get: (id) => again(() => sessions.get(id)),
    prompt: (id, prompt) => again(() => sessions.prompt(id, prompt)), // its promptId makes it one
    history: (id, range) => again(() => sessions.history(id, range)),
    listFiles: (id, query) => again(() => sessions.listFiles(id, query)),
    readFile: (id, path) => again(() => sessions.readFile(id, path)),
    presence: (id) => again(() => sessions.presence(id)),
    cancel: (id, promptId) => again(() => sessions.cancel(id, promptId)),
    async answer(id, answer) {
      let calls = 0
      await again(async () => {
        calls += 1
        try {
          await sessions.answer(id, answer)
        } catch (error) {
          // The first may have arrived. Who answered is in the log.
          if (calls === 1 || !isAppError(error, 'conflict')) throw error
        }
      })
    },
    follow: (id, { after = 0, signal } = {}) => endCleanly(follow(id, after, signal), signal),
  }
}

/** What the host sent, and not what this side tells. */
const isEvent = (event: SessionEvent | LinkChange): event is SessionEvent => 'sessionId' in event
