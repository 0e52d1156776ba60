import { isAppError } from '@qmtcode/protocol'
import type { AgentModels, Logger, SessionInfo } from '@qmtcode/protocol'
import type { AcpSessions } from './acp-sessions.ts'

const FRESH_MS = 30_000
const PATIENCE_MS = 1_000 // peers, model servers and agents are asked: an editor that opens a session does not wait for the slowest
const MAX_LISTS = 100 // of agents, each in one workspace

/** Something that can be chosen now, and takes its time to be asked for. */
interface Listed<Value> {
  /** What is known within a second. */
  known(): Promise<Value | undefined>
}

interface ListComponents {
  now: () => number
  log: Logger
  /** Called when a list comes that somebody did not wait for. */
  onLate(): void
}

export function createModelList<Value>({ list, now, log, onLate }: ListComponents & { list(): Promise<Value> }): Listed<Value> {
  let last: Value | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  let asking: Promise<void> | undefined
  let isAwaited = true

  const ask = async (): Promise<void> => {
    try {
      last = await list()
      askedAt = now()
    } catch (error) {
      log.warn('the models cannot be listed', { error: String(error) })
    }
    asking = undefined
    if (!isAwaited) onLate()
    isAwaited = true
  }
  return {
    known: async () => {
      if (now() - askedAt < FRESH_MS) return last
      asking ??= ask()
      const { promise: late, resolve } = Promise.withResolvers<boolean>()
      const timer = setTimeout(resolve, PATIENCE_MS, true)
      const isLate = await Promise.race([asking.then(() => false), late])
      clearTimeout(timer)
      if (isLate) isAwaited = false
      return last
    },
  }
}

/** The models that the agent of a session brings; nothing where it uses those of nodes, or is not known yet. */
export function createAgentModels({ sessions, ...components }: ListComponents & { sessions: AcpSessions }) {
  const lists = new Map<string, Listed<AgentModels | undefined>>()
  const ask = async (agent: string, workspace: string): Promise<AgentModels | undefined> => {
    try {
      const [brought] = await sessions.agentModels({ agent, workspace })
      return brought
    } catch (error) {
      if (isAppError(error, 'forbidden', 'unsupported', 'not_found', 'bad_request')) return undefined // a host that is older, or does not tell
      throw error
    }
  }
  return {
    of: async ({ agent, workspace }: SessionInfo): Promise<AgentModels | undefined> => {
      const key = `${agent}\n${workspace}`
      const list = lists.get(key) ?? createModelList({ ...components, list: () => ask(agent, workspace) })
      if (lists.size >= MAX_LISTS) lists.clear()
      lists.set(key, list)
      return await list.known()
    },
  }
}
