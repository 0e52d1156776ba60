import type * as acp from '@agentclientprotocol/sdk'
import { AppError, isoTime, sessionIdSchema } from '@qmtcode/protocol'
import type { SessionId, SessionInfo } from '@qmtcode/protocol'
import { z } from 'zod'
import type { AcpSessions } from './acp-sessions.ts'
import { changeOf, modeOf, modesOf } from './config-options.ts'
import { createLanes } from './lanes.ts'
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

const CREATION = 'creation' // the lane of what names no session yet

/**
 * ACP's methods for one editor, on a Sessions port. Their errors are ours. What is asked of one session takes effect in the order of
 * the calls: a prompt when the host has it, all else when it is done.
 */
export function createMethods(components: MethodsComponents, { host, agent }: MethodsOptions) {
  const { sessions, open, configOptions } = components
  const isLocal = host === 'local'
  const lanes = createLanes()
  const inOrder = async <Value>(request: { sessionId: string }, work: (id: SessionId) => Promise<Value>): Promise<Value> => {
    const id = idOf(request)
    return await lanes.run(id, () => work(id))
  }

  const stateOf = async (info: SessionInfo) => ({
    modes: modesOf(info),
    configOptions: await configOptions(info),
    _meta: { 'qmtcode/node': info.node, 'qmtcode/workspace': info.workspace },
  })
  const opened = async (info: SessionInfo): Promise<acp.NewSessionResponse> => {
    await open.open(info, { replay: false })
    return { sessionId: info.id, ...(await stateOf(info)) }
  }
  return {
    create: async (request: acp.NewSessionRequest): Promise<acp.NewSessionResponse> => {
      checkSetup(request, host)
      const created = () => sessions.create({ agent, workspace: workspaceFor(request.cwd, host) })
      return await opened(await lanes.run(CREATION, created))
    },
    load: async (request: acp.LoadSessionRequest): Promise<acp.LoadSessionResponse> => {
      checkSetup(request, host)
      return await inOrder(request, async (id) => {
        const info = await sessions.get(id)
        await open.open(info, { replay: true })
        return await stateOf(info)
      })
    },
    /** One that is open already goes on as it is: the editor has seen all of it. */
    resume: async (request: acp.ResumeSessionRequest): Promise<acp.ResumeSessionResponse> => {
      checkSetup(request, host)
      return await inOrder(request, async (id) => {
        await (await open.get(id)).ready()
        return await stateOf(await sessions.get(id))
      })
    },
    /** The editor's directory is not looked at: a fork works where its session does. */
    fork: async (request: ForkRequest): Promise<acp.NewSessionResponse> => {
      checkSetup(request, host)
      return await opened(await inOrder(request, (id) => sessions.fork(id)))
    },
    list: async ({ cwd, cursor }: acp.ListSessionsRequest): Promise<acp.ListSessionsResponse> => {
      await lanes.settled()
      const page = await sessions.list({ cursor: cursor ?? undefined })
      const wanted = page.items.filter((info) => !isLocal || typeof cwd !== 'string' || info.workspace === cwd)
      return { sessions: wanted.map(listed), nextCursor: page.cursor }
    },
    prompt: async (request: acp.PromptRequest, signal: AbortSignal): Promise<acp.PromptResponse> => {
      const content = promptContentOf(request.prompt, { isLocal })
      const { ended } = await inOrder(request, async (id) => await (await open.get(id)).prompt(content, signal))
      return await ended
    },
    cancel: async (request: acp.CancelNotification): Promise<void> =>
      await inOrder(request, async (id) => await (await open.get(id)).cancel()),
    setMode: async (request: acp.SetSessionModeRequest): Promise<acp.SetSessionModeResponse> =>
      await inOrder(request, async (id) => {
        await sessions.configure(id, { mode: modeOf(request.modeId) })
        return {}
      }),
    setOption: async (request: acp.SetSessionConfigOptionRequest): Promise<acp.SetSessionConfigOptionResponse> => {
      const info = await inOrder(request, (id) => sessions.configure(id, changeOf(request.configId, request.value)))
      return { configOptions: await configOptions(info) }
    },
    /** Frees what the editor holds of it: for the host it stays open. */
    close: async (request: acp.CloseSessionRequest): Promise<acp.CloseSessionResponse> =>
      await inOrder(request, async (id) => {
        await (await open.peek(id))?.cancel()
        await open.close(id)
        return {}
      }),
    remove: async (request: acp.DeleteSessionRequest): Promise<acp.DeleteSessionResponse> =>
      await inOrder(request, async (id) => {
        await sessions.delete(id)
        await open.close(id)
        return {}
      }),
    /** Resolves when all that was asked for so far has taken effect. */
    settled: lanes.settled,
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
