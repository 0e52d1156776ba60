import type * as acp from '@agentclientprotocol/sdk'
import { AppError, sessionIdSchema } from '@qmtcode/protocol'
import type { Logger, SessionId, SessionInfo, Sessions } from '@qmtcode/protocol'
import { attach } from './attachment.ts'
import type { Attachment } from './attachment.ts'
import { changeOf, configOptionsOf, modeOf, modesOf } from './config-options.ts'
import type { AcpAgent } from './config-options.ts'
import type { ModelList } from './model-list.ts'
import { promptContentOf } from './prompt-content.ts'

/** Whose sessions they are: `local`, or another node's, whose files and programs are not the editor's. */
export type AcpHost = 'local' | { node: string; /** A directory of that node; default: its own choice. */ workspace?: string }

export interface MethodsComponents {
  sessions: Sessions
  agents: () => Promise<readonly AcpAgent[]>
  models: ModelList
  log: Logger
  client: () => acp.AgentContext
  gone: () => AbortSignal
}

export interface MethodsOptions {
  host: AcpHost
  /** Of new sessions; default: the host's default agent. */
  agent?: string
  takesNotices: () => boolean
}

type SessionSetup = Pick<acp.NewSessionRequest, 'additionalDirectories'> & { mcpServers?: acp.McpServer[] }

/** ACP's methods for one editor, on a Sessions port. */
export function createMethods(components: MethodsComponents, options: MethodsOptions) {
  const { sessions, agents, models, log } = components
  const { host } = options
  const isLocal = host === 'local'
  const open = new Map<SessionId, Promise<Attachment>>()

  const choices = async (info: SessionInfo): Promise<acp.SessionConfigOption[]> =>
    configOptionsOf(info, await agents(), await models.known())
  const stateOf = async (info: SessionInfo) => ({
    modes: modesOf(info),
    configOptions: await choices(info),
    _meta: { 'qmtcode/node': info.node, 'qmtcode/workspace': info.workspace },
  })
  const describe = async (info: SessionInfo): Promise<acp.SessionUpdate[]> => [
    { sessionUpdate: 'session_info_update', title: info.title === '' ? null : info.title, updatedAt: timeOf(info) },
    { sessionUpdate: 'current_mode_update', currentModeId: info.mode },
    { sessionUpdate: 'config_option_update', configOptions: await choices(info) },
  ]
  const attachTo = async (info: SessionInfo, replay: boolean): Promise<Attachment> => {
    const client = components.client()
    const attachment = attach(
      { sessions, client, gone: components.gone(), log, describe },
      { info, replay, isLocal, takesNotices: options.takesNotices() },
    )
    await attachment.ready()
    return attachment
  }
  /** In the place of an earlier one. */
  const reopen = async (id: SessionId, { replay }: { replay: boolean }): Promise<SessionInfo> => {
    await detach(id)
    const info = await sessions.get(id)
    await keep(id, attachTo(info, replay))
    return info
  }
  const keep = async (id: SessionId, attaching: Promise<Attachment>): Promise<Attachment> => {
    open.set(id, attaching)
    try {
      return await attaching
    } catch (error) {
      if (open.get(id) === attaching) open.delete(id)
      throw error
    }
  }
  /** An editor that was started anew may go on with a session it knows. */
  const attachmentOf = (id: SessionId): Promise<Attachment> =>
    open.get(id) ??
    keep(
      id,
      sessions.get(id).then((info) => attachTo(info, false)),
    )
  const detach = async (id: SessionId): Promise<void> => {
    const attaching = open.get(id)
    open.delete(id)
    await attaching?.then(
      (attachment) => attachment.stop(),
      () => {},
    )
  }

  models.onLate(() => {
    for (const attaching of open.values()) {
      attaching
        .then((attachment) => attachment.refresh())
        .catch((error: unknown) => log.debug('options are not sent', { error: String(error) }))
    }
  })
  return {
    create: async (request: acp.NewSessionRequest): Promise<acp.NewSessionResponse> => {
      checkSetup(request, host)
      const workspace = host === 'local' ? request.cwd : host.workspace
      const info = await sessions.create({ agent: options.agent, workspace })
      await keep(info.id, attachTo(info, false))
      return { sessionId: info.id, ...(await stateOf(info)) }
    },
    load: async (request: acp.LoadSessionRequest): Promise<acp.LoadSessionResponse> => {
      checkSetup(request, host)
      return await stateOf(await reopen(idOf(request), { replay: true }))
    },
    resume: async (request: acp.ResumeSessionRequest): Promise<acp.ResumeSessionResponse> => {
      checkSetup(request, host)
      return await stateOf(await reopen(idOf(request), { replay: false }))
    },
    list: async ({ cwd, cursor }: acp.ListSessionsRequest): Promise<acp.ListSessionsResponse> => {
      const page = await sessions.list(cursor === null ? {} : { cursor })
      const wanted = page.items.filter((info) => !isLocal || typeof cwd !== 'string' || info.workspace === cwd)
      return { sessions: wanted.map(listed), ...(page.cursor !== undefined && { nextCursor: page.cursor }) }
    },
    prompt: async (request: acp.PromptRequest, signal: AbortSignal): Promise<acp.PromptResponse> => {
      const content = promptContentOf(request.prompt, { isLocal })
      return await (await attachmentOf(idOf(request))).prompt(content, signal)
    },
    cancel: async (request: acp.CancelNotification): Promise<void> => await (await attachmentOf(idOf(request))).cancel(),
    setMode: async (request: acp.SetSessionModeRequest): Promise<acp.SetSessionModeResponse> => {
      await sessions.configure(idOf(request), { mode: modeOf(request.modeId) })
      return {}
    },
    setOption: async (request: acp.SetSessionConfigOptionRequest): Promise<acp.SetSessionConfigOptionResponse> => {
      const info = await sessions.configure(idOf(request), changeOf(request.configId, request.value))
      return { configOptions: await choices(info) }
    },
    /** Frees what the editor holds of it: for the host it stays open. */
    close: async (request: acp.CloseSessionRequest): Promise<acp.CloseSessionResponse> => {
      const id = idOf(request)
      await (await open.get(id))?.cancel()
      await detach(id)
      return {}
    },
    remove: async (request: acp.DeleteSessionRequest): Promise<acp.DeleteSessionResponse> => {
      const id = idOf(request)
      await sessions.delete(id)
      await detach(id)
      return {}
    },
    stop: async (): Promise<void> => {
      await Promise.all([...open.keys()].map(detach))
    },
  }
}

function idOf({ sessionId }: { sessionId: string }): SessionId {
  const parsed = sessionIdSchema.safeParse(sessionId)
  if (parsed.success) return parsed.data
  throw new AppError('not_found', `no session ${JSON.stringify(sessionId.slice(0, 60))}`)
}

/** `cwd`, servers and directories are paths and commands of the editor's machine: another one must not take them for its own. */
function checkSetup({ mcpServers = [], additionalDirectories = [] }: SessionSetup, host: AcpHost): void {
  if (additionalDirectories.length > 0)
    throw new AppError('unsupported', 'a session has one directory: additionalDirectories are not supported')
  if (mcpServers.length === 0) return
  const names = mcpServers.map(({ name }) => name).join(', ')
  if (host === 'local') {
    throw new AppError('unsupported', `MCP servers (${names}): not built yet`, {
      hint: "turn them off for this agent in the editor's settings",
    })
  }
  throw new AppError('forbidden', `${host.node} runs no MCP servers of its callers (${names}): they are commands of your machine`, {
    hint: "turn them off for this agent in the editor's settings",
  })
}

const timeOf = ({ updatedAt }: SessionInfo): string => new Date(updatedAt).toISOString()

const listed = (info: SessionInfo): acp.SessionInfo => ({
  sessionId: info.id,
  cwd: info.workspace,
  ...(info.title !== '' && { title: info.title }),
  updatedAt: timeOf(info),
  _meta: { 'qmtcode/node': info.node, 'qmtcode/state': info.state },
})
