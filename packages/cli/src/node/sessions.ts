import { userInfo } from 'node:os'
import {
  createPeerBounds,
  createPeerSessions,
  createPermissions,
  createSessions,
  createTools,
  createTurnRunner,
  createWorkspaceFiles,
  isSharedAgent,
} from '@qmtcode/agent'
import type { AgentCatalog, EventLog, Router } from '@qmtcode/agent'
import type { CallerPeer } from '@qmtcode/mesh'
import type { AgentSpec, Author, Clock, Logger, PeerId, Sessions } from '@qmtcode/protocol'
import { defaultAgentId } from '../config/agents.ts'
import type { Config } from '../config/config.ts'
import type { Environment } from '../config/environment.ts'

/** The sessions that this node holds, for its own person and for peers. */
export interface SessionSide extends AsyncDisposable {
  /** As the person at this node. */
  own: Sessions
  /** As one peer gets them. May be called before `begin`; its calls wait for it. */
  forPeer(peer: CallerPeer): Sessions
  /** The agents that peers may have sessions with. */
  sharedAgents: readonly AgentSpec[]
  /** Goes on with what was interrupted. After the log's start. */
  begin(): Promise<void>
}

export interface SessionSideComponents {
  config: Config
  env: Environment
  cwd: string
  agents: readonly AgentSpec[]
  clock: Clock
  logger: Logger
  node: { name: string; peerId?: PeerId }
  /** Started and stopped by its owner. */
  log: EventLog
  router: Router
}

export function createSessionSide(components: SessionSideComponents): SessionSide {
  const { config, env, cwd, agents, clock, logger, node, log, router } = components
  const { share } = config.mesh
  const secrets = [config.file, config.mesh.identityFile, config.server.tlsKey].filter((file) => file !== undefined)
  const tools = createTools({ env }, { qmtHome: config.home, closed: secrets })
  const permissions = createPermissions({ ...config.permissions, home: env['HOME'] })
  const runTurn = createTurnRunner(
    { router, tools, permissions, clock, log: logger.child('turn'), node: node.name },
    { guestShell: share.shell === 'ask' ? 'ask' : 'no' },
  )
  const files = createWorkspaceFiles({ tools, permissions, env })
  const catalog = catalogOf(config, agents)
  const sessions = createSessions(
    { log, runTurn, files, agents: catalog, discard: tools.discard, clock, logger: logger.child('sessions'), node },
    { defaultWorkspace: cwd },
  )
  const bounds = createPeerBounds({ sessions, clock, node })
  const started = Promise.withResolvers<void>()
  started.promise.catch(() => {}) // who calls meanwhile hears of it, and so does who begins
  return {
    own: sessions.as(personAt(node)),
    forPeer: (caller) => createPeerSessions({ sessions, agents: catalog, bounds, node, ready: started.promise }, { caller, share }),
    sharedAgents:
      share.workspaces.length === 0 ? [] : agents.filter(({ id, target }) => target.kind === 'local' && isSharedAgent(id, share)),
    begin: async () => {
      try {
        await sessions.start()
        started.resolve()
      } catch (error) {
        started.reject(error)
        throw error
      }
    },
    [Symbol.asyncDispose]: () => sessions.stop(),
  }
}

function catalogOf(config: Config, agents: readonly AgentSpec[]): AgentCatalog {
  const byId = new Map(agents.map((agent) => [agent.id, agent]))
  const fallback = byId.get(defaultAgentId(config))
  if (!fallback) throw new Error('the default agent is one of the agents')
  return { get: (id) => byId.get(id), default: () => fallback }
}

/** Whoever can open the socket is this node's own user. */
const personAt = ({ name, peerId }: SessionSideComponents['node']): Author => ({ node: name, peerId, user: userInfo().username })
