import { AppError, toAppError, toWireError } from '@qmtcode/protocol'
import type { DurableEvent, Logger, SessionId } from '@qmtcode/protocol'
import type { ToolSet } from '../tools/types.ts'
import { isWithin } from '../tools/real-path.ts'
import { isAnswered } from '../turn/answered.ts'
import type { RunTurn, TurnContext } from '../turn/types.ts'
import type { WorkspaceTrust } from '../workspace-trust/types.ts'
import { noUsage } from '../turn/usage.ts'
import { openAgentSession } from './agent-session.ts'
import type { AgentSession } from './agent-session.ts'
import { createKnownModels } from './agent-models.ts'
import type { KnownModels } from './agent-models.ts'
import { createLaunches } from './launch.ts'
import type { LaunchesComponents, LaunchesOptions } from './launch.ts'
import { runForeignTurn } from './foreign-turn.ts'
import type { ForeignTurnComponents } from './foreign-turn.ts'
import type { ForeignAgent } from './types.ts'

export interface ForeignAgentsComponents extends Omit<ForeignTurnComponents, 'guestShell'> {
  agents: readonly ForeignAgent[]
  tools: ToolSet
  /** They run what a workspace brings: hooks, MCP servers, settings. */
  workspaceTrust: Pick<WorkspaceTrust, 'assertTrusted'>
  /** Of this process; agents get all of it but what is qmtcode's own, and what leads into a workspace. */
  env: LaunchesComponents['env']
  log: Logger
  /** Of qmtcode. */
  version: string
}

export interface ForeignAgentsOptions {
  /** Where and how processes are started. */
  launch: LaunchesOptions
  /** Ids that sessions of peers may use. */
  forGuests: readonly string[]
  guestShell?: ForeignTurnComponents['guestShell']
  /** How long an unused process is kept. Default: 10 min. */
  keepMs?: number
  /** Processes at once; one that is not in use makes room. Default: 16. */
  maxProcesses?: number
}

/** Agents of other makers as sessions see them: a way to run turns. Each session has a process of its own, while it is used. */
export interface ForeignAgents {
  has(agentId: string): boolean
  runTurn: RunTurn
  /** The models that they bring, each asked where a session would work. */
  models: KnownModels['of']
  /** Ends the process of a session that is deleted. */
  discard(id: SessionId): Promise<void>
  /** Ends all processes. After the sessions' stop. */
  stop(): Promise<void>
}

const KEEP_MS = 600_000
const MAX_PROCESSES = 16

interface Slot {
  session: AgentSession
  isBusy: boolean
  timer?: NodeJS.Timeout
}

export function createForeignAgents(components: ForeignAgentsComponents, options: ForeignAgentsOptions): ForeignAgents {
  const { agents, tools, workspaceTrust, env, log, version } = components
  const { keepMs = KEEP_MS, maxProcesses = MAX_PROCESSES, guestShell = 'no' } = options
  const slots = new Map<SessionId, Slot>() // the longest unused first
  const opening = new Set<Promise<AgentSession>>()
  const stopping = new AbortController()
  const launches = createLaunches({ agents, env }, options.launch)
  const knownModels = createKnownModels({
    agents,
    clock: components.clock,
    log,
    open: async (agent, cwd) => {
      await workspaceTrust.assertTrusted(cwd)
      return await open(agent, { cwd, signal: stopping.signal })
    },
  })

  const open = async (agent: ForeignAgent, where: Parameters<typeof openAgentSession>[1]): Promise<AgentSession> => {
    if (stopping.signal.aborted) throw new AppError('interrupted', 'this node is stopping')
    const work = openAgentSession({ agent, launches, log, version }, where)
    opening.add(work)
    try {
      return await work
    } finally {
      opening.delete(work)
    }
  }
  const end = async (id: SessionId): Promise<void> => {
    const slot = slots.get(id)
    slots.delete(id)
    clearTimeout(slot?.timer)
    await slot?.session.stop()
  }
  const makeRoom = async (): Promise<void> => {
    if (slots.size + opening.size < maxProcesses) return
    const [unused] = Array.from(slots).filter(([, { isBusy }]) => !isBusy)
    if (!unused)
      throw new AppError('busy', `${maxProcesses} foreign agents work here already`, { hint: 'try again when one of them is done' })
    await end(unused[0])
  }
  const take = async (turn: TurnContext, agent: ForeignAgent, cwd: string): Promise<Slot> => {
    const found = slots.get(turn.sessionId)
    clearTimeout(found?.timer)
    if (found && !found.session.isGone()) {
      found.isBusy = true
      return found
    }
    await end(turn.sessionId)
    await makeRoom()
    const earlierId = foreignIdIn(turn.events)
    const slot = { session: await open(agent, { cwd, earlierId, signal: turn.signal }), isBusy: true }
    slots.set(turn.sessionId, slot)
    if (earlierId === undefined) knownModels.learn(agent, turn.workspace, slot.session.settings) // else something was chosen in it
    return slot
  }
  const release = (id: SessionId, slot: Slot): void => {
    slot.isBusy = false
    if (slots.get(id) !== slot) return
    slots.delete(id)
    slots.set(id, slot) // the last used last
    slot.timer = setTimeout(() => {
      end(id).catch((error: unknown) => log.warn('a foreign agent could not be ended', { error: String(error) }))
    }, keepMs).unref()
  }

  const run = async (turn: TurnContext, agent: ForeignAgent): ReturnType<RunTurn> => {
    if (turn.guest !== undefined && !options.forGuests.includes(agent.id)) {
      throw new AppError('forbidden', `${components.node} does not share the agent ${agent.id} with peers`, {
        hint: `on ${components.node}: agents = [${JSON.stringify(agent.id)}] in [mesh.share], by its id`,
      })
    }
    const workspace = await tools.openWorkspace(turn.workspace, turn.sessionId)
    if (turn.guest !== undefined && isWithin(workspace.root, options.launch.home)) {
      throw new AppError('forbidden', `${agent.id} is not started for peers where the workspace holds the home directory of its user`)
    }
    await workspaceTrust.assertTrusted(workspace.root) // each turn: it reads there again
    const slot = await take(turn, agent, workspace.root)
    try {
      return await runForeignTurn({ ...components, guestShell }, turn, { agent, session: slot.session, workspace })
    } finally {
      release(turn.sessionId, slot)
    }
  }
  return {
    has: (id) => agents.some((agent) => agent.id === id),
    runTurn: async (turn) => {
      const agent = agents.find(({ id }) => id === turn.agent.id)
      if (isAnswered(turn)) return { stopReason: 'completed', usage: noUsage }
      try {
        if (!agent) throw new AppError('internal', `${turn.agent.id} is no foreign agent`)
        return await run(turn, agent)
      } catch (error) {
        if (turn.signal.aborted) return { stopReason: 'cancelled', usage: noUsage }
        return { stopReason: 'failed', usage: noUsage, error: toWireError(toAppError(error)) }
      }
    },
    models: knownModels.of,
    discard: end,
    stop: async () => {
      stopping.abort(new AppError('interrupted', 'this node is stopping'))
      await Promise.allSettled(opening)
      await knownModels.settled()
      await Promise.all(Array.from(slots.keys(), end))
    },
  }
}

/** The session of the agent that this one was last in. What a fork took over does not count: two would write into one. */
function foreignIdIn(events: readonly DurableEvent[]): string | undefined {
  const fork = events.find((event) => event.type === 'session.created' && event.forkedFrom !== undefined)
  const inherited = fork?.type === 'session.created' ? Math.max(fork.seq, fork.forkedFrom?.seq ?? 0) : 0
  const last = events.findLast((event) => event.type === 'route.chosen' && event.seq > inherited)
  return last?.type === 'route.chosen' ? last.foreignSessionId : undefined
}
