import type { AgentContext, SessionUpdate } from '@agentclientprotocol/sdk'
import { AppError } from '@qmtcode/protocol'
import type { Logger, SessionId, SessionInfo } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'
import { attach } from './attachment.ts'
import type { Attachment } from './attachment.ts'
import { createPrompts } from './prompts.ts'
import type { Prompts } from './prompts.ts'

/** The sessions that one editor has open, each attached once. */
export interface OpenSessions {
  /** Attaches, in the place of an earlier attachment, whose prompts go on. `replay`: sends everything from the first event on. */
  open(info: SessionInfo, options: { replay: boolean }): Promise<Attachment>
  /** The one that is open; else attached now: an editor that was started anew may go on with a session it knows. */
  get(id: SessionId): Promise<Attachment>
  peek(id: SessionId): Promise<Attachment> | undefined
  /** What still waits for the end of its turn fails. */
  close(id: SessionId): Promise<void>
  /** Sends every session's options anew. */
  refresh(): void
  /** The editor is gone: what it asked for ends. */
  stop(): Promise<void>
}

export interface OpenSessionsComponents {
  sessions: AcpSessions
  log: Logger
  client: () => AgentContext
  gone: () => AbortSignal
  describe(info: SessionInfo): Promise<SessionUpdate[]>
}

export function createOpenSessions(
  components: OpenSessionsComponents,
  options: { isLocal: boolean; takesNotices: () => boolean; takesForms: () => boolean },
): OpenSessions {
  const { sessions, log, client, gone, describe } = components
  const attached = new Map<SessionId, Promise<Attachment>>()
  const prompts = new Map<SessionId, Prompts>()

  const promptsOf = (sessionId: SessionId): Prompts => {
    const known = prompts.get(sessionId) ?? createPrompts({ sessions, sessionId, log })
    prompts.set(sessionId, known)
    return known
  }
  const attachTo = (info: SessionInfo, replay: boolean): Promise<Attachment> =>
    attach(
      { sessions, prompts: promptsOf(info.id), client: client(), gone: gone(), log, describe },
      { info, replay, isLocal: options.isLocal, takesNotices: options.takesNotices(), takesForms: options.takesForms() },
    )
  const keep = async (id: SessionId, attaching: Promise<Attachment>): Promise<Attachment> => {
    attached.set(id, attaching)
    try {
      return await attaching
    } catch (error) {
      if (attached.get(id) === attaching) attached.delete(id)
      throw error
    }
  }
  const detach = async (id: SessionId): Promise<void> => {
    const attaching = attached.get(id)
    attached.delete(id)
    await attaching?.then(
      (attachment) => attachment.stop(),
      () => {}, // told to who opened it
    )
  }
  const close = async (id: SessionId): Promise<void> => {
    prompts.get(id)?.failSent(new AppError('cancelled', `session ${id} was closed`))
    prompts.delete(id)
    await detach(id)
  }
  return {
    open: async (info, { replay }) => {
      await detach(info.id)
      return await keep(info.id, attachTo(info, replay))
    },
    get: (id) =>
      attached.get(id) ??
      keep(
        id,
        sessions.get(id).then((info) => attachTo(info, false)),
      ),
    peek: (id) => attached.get(id),
    close,
    refresh: () => {
      for (const attaching of attached.values()) {
        attaching
          .then((attachment) => attachment.refresh())
          .catch((error: unknown) => log.debug('options are not sent', { error: String(error) }))
      }
    },
    stop: async () => {
      await Promise.all([...prompts.values()].map((mine) => mine.abandon()))
      await Promise.all([...attached.keys()].map(close))
    },
  }
}
