import { agent } from '@agentclientprotocol/sdk'
import type { SessionConfigOption, SessionUpdate, Stream } from '@agentclientprotocol/sdk'
import type { Clock, Logger, SessionInfo } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'
import { configOptionsOf } from './config-options.ts'
import type { AcpAgent } from './config-options.ts'
import { toRequestError } from './errors.ts'
import { guardStream } from './guard-stream.ts'
import { initializeResponse, takesForms, takesNotices } from './initialize.ts'
import { createMethods, forkRequestSchema, timeOf } from './methods.ts'
import { createAgentModels, createModelList } from './model-list.ts'
import { createOpenSessions } from './open-sessions.ts'
import type { AcpHost } from './session-setup.ts'

export interface AcpComponents {
  /** Of the host: here, over the mesh, or over HTTP. */
  sessions: AcpSessions
  agents(): Promise<readonly AcpAgent[]>
  /** What a session may be told to use, as `provider/model` or `node:provider/model`. */
  models(): Promise<readonly string[]>
  log: Logger
  clock: Clock
}

export interface AcpOptions {
  stream: Stream
  host: AcpHost
  /** Of qmtcode. */
  version: string
  /** Of new sessions; default: the host's default agent. */
  agent?: string
}

/** One editor, served. */
export interface AcpServer extends AsyncDisposable {
  /** Resolves when the editor is gone, or after `stop`, and its prompts were cancelled: what others run in its sessions goes on. */
  readonly closed: Promise<void>
  stop(): Promise<void>
}

/** Serves ACP v1 to the client at the other end of `stream`, until its end. */
export function serveAcp({ sessions, agents, models, log, clock }: AcpComponents, options: AcpOptions): AcpServer {
  let notices = false
  let forms = false
  const now = (): number => clock.monotonic()
  const onLate = (): void => open.refresh()
  const modelList = createModelList({ list: models, log, now, onLate })
  const agentModels = createAgentModels({ sessions, log, now, onLate })
  const configOptions = async (info: SessionInfo): Promise<SessionConfigOption[]> => {
    const [known, listed, brought] = await Promise.all([agents(), modelList.known(), agentModels.of(info)])
    return configOptionsOf(info, known, { models: listed ?? [], brought })
  }
  const describe = async (info: SessionInfo): Promise<SessionUpdate[]> => [
    { sessionUpdate: 'session_info_update', title: info.title === '' ? null : info.title, updatedAt: timeOf(info) },
    { sessionUpdate: 'current_mode_update', currentModeId: info.mode },
    { sessionUpdate: 'config_option_update', configOptions: await configOptions(info) },
  ]
  const open = createOpenSessions(
    { sessions, log, describe, client: () => connection.client, gone: () => connection.signal },
    { isLocal: options.host === 'local', takesNotices: () => notices, takesForms: () => forms },
  )
  const methods = createMethods({ sessions, open, configOptions }, options)
  const app = agent({ name: 'qmtcode' })
    .onRequest('initialize', ({ params }) => {
      notices = takesNotices(params)
      forms = takesForms(params)
      return initializeResponse(options.version)
    })
    .onRequest('session/prompt', ({ params, signal }) => answer(methods.prompt(params, signal)))
    .onRequest('session/new', ({ params }) => answer(methods.create(params)))
    .onRequest('session/load', ({ params }) => answer(methods.load(params)))
    .onRequest('session/resume', ({ params }) => answer(methods.resume(params)))
    .onRequest('session/list', ({ params }) => answer(methods.list(params)))
    .onRequest('session/set_mode', ({ params }) => answer(methods.setMode(params)))
    .onRequest('session/set_config_option', ({ params }) => answer(methods.setOption(params)))
    .onRequest('session/close', ({ params }) => answer(methods.close(params)))
    .onRequest('session/delete', ({ params }) => answer(methods.remove(params)))
    .onRequest('session/fork', forkRequestSchema, ({ params }) => answer(methods.fork(params)))
    .onNotification('session/cancel', ({ params }) => answer(methods.cancel(params)))
  const connection = app.connect(guardStream(options.stream, { settled: methods.settled }))

  const closed = connection.closed.then(async () => {
    log.info('the editor is gone', { reason: String(connection.signal.reason) })
    await open.stop()
  })
  const stop = async (): Promise<void> => {
    connection.close()
    await closed
  }
  return { closed, stop, [Symbol.asyncDispose]: stop }
}

async function answer<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work
  } catch (error) {
    throw toRequestError(error)
  }
}
