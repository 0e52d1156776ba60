import type * as acp from '@agentclientprotocol/sdk'
import { AppError, isoTime, sessionIdSchema } from '@qmtcode/protocol'
import type { SessionId, SessionInfo } from '@qmtcode/protocol'
import { z } from 'zod'
import type { AcpSessions } from './acp-sessions.ts'
import { changeOf, modeOf, modesOf } from './config-options.ts'
import type { OpenSessions } from './open-sessions.ts'
import { promptContentOf } from './prompt-content.ts'
import { checkSetup, workspaceFor } from './session-setup.ts'
import type { AcpHost } from './session-setup.ts'

export interface MethodsComponents {
  sessions: AcpSessions
  open: OpenSessions
  configOptions(info: SessionInfo): Promise<acp.SessionConfigOption[]>
}

export interface MethodsOptions {
  host: AcpHost
  /** Of new sessions; default: the host's default agent. */
  agent?: string
}

/** ACP's methods for one editor, on a Sessions port. Their errors are ours. */
export function createMethods(components: MethodsComponents, { host, agent }: MethodsOptions) {
  const { sessions, open, configOptions } = components
  const isLocal = host === 'local'

  const stateOf = async (info: SessionInfo) => ({
    modes: modesOf(info),
    configOptions: await configOptions(info),
    _meta: { 'qmtcode/node': info.node, 'qmtcode/workspace': info.workspace },
  })
  const reopen = async (request: acp.LoadSessionRequest | acp.ResumeSessionRequest, replay: boolean) => {
    checkSetup(request, host)
    const id = idOf(request)
    await open.close(id)
    const info = await sessions.get(id)
    await open.open(info, { replay })
    return await stateOf(info)
  }
  return {
    create: async (request: acp.NewSessionRequest): Promise<acp.NewSessionResponse> => {
      checkSetup(request, host)
      const info = await sessions.create({ agent, workspace: workspaceFor(request.cwd, host) })
      await open.open(info, { replay: false })
      return { sessionId: info.id, ...(await stateOf(info)) }
    },
    load: (request: acp.LoadSessionRequest): Promise<acp.LoadSessionResponse> => reopen(request, true),
    resume: (request: acp.ResumeSessionRequest): Promise<acp.ResumeSessionResponse> => reopen(request, false),
    /** The editor's directory is not looked at: a fork works where its session does. */
    fork: async (request: ForkRequest): Promise<acp.NewSessionResponse> => {
      checkSetup(request, host)
      const info = await sessions.fork(idOf(request))
      await open.open(info, { replay: false })
      return { sessionId: info.id, ...(await stateOf(info)) }
    },
    list: async ({ cwd, cursor }: acp.ListSessionsRequest): Promise<acp.ListSessionsResponse> => {
      const page = await sessions.list({ cursor: cursor ?? undefined })
      const wanted = page.items.filter((info) => !isLocal || typeof cwd !== 'string' || info.workspace === cwd)
      return { sessions: wanted.map(listed), nextCursor: page.cursor }
    },
    prompt: async (request: acp.PromptRequest, signal: AbortSignal): Promise<acp.PromptResponse> => {
      const id = idOf(request)
      const content = promptContentOf(request.prompt, { isLocal })
      return await (await open.get(id)).prompt(content, signal)
    },
    cancel: async (request: acp.CancelNotification): Promise<void> => await (await open.get(idOf(request))).cancel(),
    setMode: async (request: acp.SetSessionModeRequest): Promise<acp.SetSessionModeResponse> => {
      await sessions.configure(idOf(request), { mode: modeOf(request.modeId) })
      return {}
    },
    setOption: async (request: acp.SetSessionConfigOptionRequest): Promise<acp.SetSessionConfigOptionResponse> => {
      const info = await sessions.configure(idOf(request), changeOf(request.configId, request.value))
      return { configOptions: await configOptions(info) }
    },
    /** Frees what the editor holds of it: for the host it stays open. */
    close: async (request: acp.CloseSessionRequest): Promise<acp.CloseSessionResponse> => {
      const id = idOf(request)
      await (await open.peek(id))?.cancel()
      await open.close(id)
      return {}
    },
    remove: async (request: acp.DeleteSessionRequest): Promise<acp.DeleteSessionResponse> => {
      const id = idOf(request)
      await sessions.delete(id)
      await open.close(id)
      return {}
    },
  }
}

/** `session/fork` stands in the unstable part of ACP's schema only. */
export const forkRequestSchema = z.object({
  sessionId: z.string(),
  cwd: z.string(),
  additionalDirectories: z.array(z.string()).max(100).optional(),
  mcpServers: z
    .array(
      z.custom<acp.McpServer>(
        (server) => typeof server === 'object' && server !== null && 'name' in server && typeof server.name === 'string',
      ),
    )
    .max(100)
    .optional(),
})
type ForkRequest = z.infer<typeof forkRequestSchema>

function idOf({ sessionId }: { sessionId: string }): SessionId {
  const parsed = sessionIdSchema.safeParse(sessionId)
  if (parsed.success) return parsed.data
  throw new AppError('not_found', `no session ${JSON.stringify(sessionId.slice(0, 60))}`)
}

export const timeOf = ({ updatedAt }: SessionInfo): string => isoTime(updatedAt)

const listed = (info: SessionInfo): acp.SessionInfo => ({
  sessionId: info.id,
  cwd: info.workspace,
  title: info.title === '' ? undefined : info.title,
  updatedAt: timeOf(info),
  _meta: { 'qmtcode/node': info.node, 'qmtcode/state': info.state },
})
