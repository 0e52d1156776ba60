import { setTimeout as delay } from 'node:timers/promises'
import { client, RequestError } from '@agentclientprotocol/sdk'
import type {
  AnyMessage,
  ClientContext,
  InitializeResponse,
  LoadSessionRequest,
  NewSessionResponse,
  ReadTextFileRequest,
  ReadTextFileResponse,
  RequestPermissionRequest,
  RequestPermissionResponse,
  WriteTextFileRequest,
} from '@agentclientprotocol/sdk'
import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { Logger } from '@qmtcode/protocol'
import { redact } from '../models/redact.ts'
import { startAgentProcess } from './agent-process.ts'
import type { AgentProcess } from './agent-process.ts'
import { messageStream } from './message-stream.ts'
import type { Launches } from './launch.ts'
import type { AgentSettings, SettingsSession } from './settings.ts'
import type { ForeignAgent } from './types.ts'
import { settingsUpdate } from './updates.ts'

const START_MS = 120_000 // some load much, on slow disks
const EXIT_MS = 1_000
const DISCARD_MS = 2_000

/** What a turn hears of its agent. Updates come in order, one at a time; all of them before the prompt's answer. */
interface TurnListener {
  update(update: unknown): Promise<void>
  /** Any message at all: it is alive. */
  heard(): void
  usage(usage: unknown): void
  permission(request: RequestPermissionRequest, signal: AbortSignal): Promise<RequestPermissionResponse>
  readFile(request: ReadTextFileRequest): Promise<ReadTextFileResponse>
  writeFile(request: WriteTextFileRequest): Promise<void>
}

/** One session of a foreign agent, in a process of its own. */
export interface AgentSession extends SettingsSession {
  /** As the agent knows it. */
  readonly id: string
  /** Whether it knows what was said before: a new one does not, until its first prompt tells it. */
  knows: boolean
  readonly takes: { image: boolean; embeddedContext: boolean }
  /** The turn that hears from now on; between turns what the agent says is dropped, and what it asks is refused. */
  listener: TurnListener | undefined
  readonly agent: ClientContext
  isGone(): boolean
  /** Has the agent forget this session, where it can. */
  discard(): Promise<void>
  /** What `work` comes to, or the error that the process ended with. */
  race<T>(work: Promise<T>): Promise<T>
  stop(): Promise<void>
}

export interface AgentSessionComponents {
  agent: ForeignAgent
  launches: Launches
  log: Logger
  version: string
}

/**
 * Starts the agent and opens its session: the one it had, if it can, else a new one. The process learns of the workspace `cwd` by that
 * session alone. Throws what a person can act on.
 */
export async function openAgentSession(
  components: AgentSessionComponents,
  { cwd, earlierId, signal }: { cwd: string; earlierId?: string; signal: AbortSignal },
): Promise<AgentSession> {
  const { agent, launches, log } = components
  const process = startAgentProcess({ agent, launch: await launches.of(agent, cwd), log })
  const link = connect(components, process)
  const bound = AbortSignal.any([signal, AbortSignal.timeout(START_MS)])
  try {
    return await untilAborted(link.race(open(components, link, { cwd, earlierId })), bound, () =>
      signal.aborted ? toAppError(signal.reason) : new AppError('timeout', `agent ${agent.id} did not start within ${START_MS / 1_000} s`),
    )
  } catch (error) {
    await link.stop()
    throw startError(agent, error)
  }
}

interface Link {
  agent: ClientContext
  settings: AgentSettings
  listener: TurnListener | undefined
  isGone(): boolean
  race: AgentSession['race']
  stop(): Promise<void>
}

function connect({ agent, log }: AgentSessionComponents, process: AgentProcess): Link {
  const broken = Promise.withResolvers<never>()
  let isGone = false
  const breakWith = (error: AppError): void => {
    isGone = true
    broken.reject(error)
  }
  broken.promise.catch(() => {}) // whoever waits hears of it
  process.ended.then(breakWith).catch(() => {})
  const stream = messageStream(process, {
    name: `agent ${agent.id}`,
    take: async (message) => await hear(link, message),
    onJunk: (line) => log.warn('a line of a foreign agent is no message', { agent: agent.id, line: redact(line) }),
    onBroken: breakWith,
  })
  const listening = (): TurnListener => {
    if (link.listener) return link.listener
    throw new RequestError(-32_603, 'no prompt is running')
  }
  const connection = client({ name: 'qmtcode' })
    .onRequest('session/request_permission', async ({ params, signal }) => await listening().permission(params, signal))
    .onRequest('fs/read_text_file', async ({ params }) => await listening().readFile(params))
    .onRequest('fs/write_text_file', async ({ params }) => {
      await listening().writeFile(params)
      return {}
    })
    .connect(stream)
  connection.closed.catch(() => {})
  const link: Link = {
    agent: connection.agent,
    settings: {},
    listener: undefined,
    isGone: () => isGone,
    race: async (work) => {
      work.catch(() => {}) // the link may break first
      try {
        return await Promise.race([work, broken.promise])
      } catch (error) {
        // Its pipe ends a moment before it does: the exit tells more.
        if (connection.signal.aborted) await Promise.race([broken.promise, delay(EXIT_MS, undefined, { ref: false })])
        throw error
      }
    },
    stop: async () => {
      isGone = true
      await process.stop()
      connection.close()
    },
  }
  return link
}

/** True for what is ours alone: updates, which must not be overtaken by the answer that follows them. */
async function hear(link: Link, message: AnyMessage): Promise<boolean> {
  link.listener?.heard()
  if ('method' in message && message.method === 'session/update') {
    const update = (message.params as { update?: unknown } | undefined)?.update
    Object.assign(link.settings, settingsUpdate(update, link.settings))
    await link.listener?.update(update)
    return true
  }
  // Not in the stable schema, which would drop it on the way.
  if ('result' in message) link.listener?.usage((message.result as { usage?: unknown } | null)?.usage)
  return false
}

async function open(
  { agent, version }: AgentSessionComponents,
  link: Link,
  { cwd, earlierId }: { cwd: string; earlierId?: string },
): Promise<AgentSession> {
  const initialized = await link.agent.request('initialize', {
    protocolVersion: 1,
    clientInfo: { name: 'qmtcode', version },
    clientCapabilities: { fs: { readTextFile: true, writeTextFile: true }, terminal: false },
  })
  if (initialized.protocolVersion !== 1) {
    throw new AppError('unsupported', `agent ${agent.id} speaks version ${initialized.protocolVersion} of ACP, this node version 1`)
  }
  const place = { cwd, mcpServers: [] }
  const restored = earlierId === undefined ? undefined : await restore(link, initialized, { sessionId: earlierId, ...place })
  const made: NewSessionResponse | undefined = restored ? undefined : await link.agent.request('session/new', place)
  const id = made?.sessionId ?? earlierId ?? ''
  const { modes, configOptions }: AgentSettings = made ?? restored ?? {}
  Object.assign(link.settings, { modes, configOptions })
  const { image = false, embeddedContext = false } = initialized.agentCapabilities?.promptCapabilities ?? {}
  return Object.assign(link, {
    id,
    knows: restored !== undefined,
    takes: { image, embeddedContext },
    discard: async (): Promise<void> => {
      if (initialized.agentCapabilities?.sessionCapabilities?.delete) {
        await untilAborted(
          link.race(link.agent.request('session/delete', { sessionId: id })),
          AbortSignal.timeout(DISCARD_MS),
          () => new AppError('timeout', `agent ${agent.id} did not delete a session`),
        )
      }
    },
    setMode: async (modeId: string): Promise<void> => {
      await link.race(link.agent.request('session/set_mode', { sessionId: id, modeId }))
      if (link.settings.modes) link.settings.modes = { ...link.settings.modes, currentModeId: modeId }
    },
    setOption: async (configId: string, value: string): Promise<void> => {
      const setting = link.agent.request('session/set_config_option', { sessionId: id, configId, value })
      const { configOptions } = await link.race(setting)
      link.settings.configOptions = configOptions
    },
  })
}

/** Nothing where the agent cannot, or no longer knows the session: its log is ours, and is told to a new one. */
async function restore(
  { agent }: Link,
  { agentCapabilities }: InitializeResponse,
  session: LoadSessionRequest,
): Promise<AgentSettings | undefined> {
  const method = agentCapabilities?.sessionCapabilities?.resume ? 'session/resume' : 'session/load'
  if (method === 'session/load' && agentCapabilities?.loadSession !== true) return undefined
  try {
    // What a load repeats is in our log already: nobody listens yet.
    return (await agent.request(method, session)) ?? {}
  } catch (error) {
    if (isAppError(error)) throw error
    return undefined
  }
}

const AUTH_REQUIRED = -32_000

function startError({ id, command }: ForeignAgent, error: unknown): AppError {
  if (isAppError(error)) return error
  const message = error instanceof Error ? redact(error.message) : String(error)
  if (error instanceof RequestError && error.code === AUTH_REQUIRED) {
    return new AppError('provider_error', `agent ${id} wants a login: ${message}`, {
      cause: error,
      hint: `log in with its own program, in a terminal of this machine (${command[0]}), or give it its key in the environment`,
    })
  }
  return new AppError('provider_error', `agent ${id} did not open a session: ${message}`, { cause: error })
}

/** Rejects with `reason()` at the abort, whatever `work` does. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal, reason: () => AppError): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(reason())
  work.catch(() => {})
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) throw reason()
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
