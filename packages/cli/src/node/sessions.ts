import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  createBoardTools,
  createForeignAgents,
  createGuestFiles,
  createPeerBounds,
  createPeerSessions,
  createPermissions,
  createSandbox,
  createSessions,
  createTools,
  createTurnJudge,
  createTurnRunner,
  createWorkspaceFiles,
  createWorkspaceTrust,
  isSharedAgent,
} from '@qmtcode/agent'
import type { AgentCatalog, EventLog, ForeignAgent, Router, RunTurn } from '@qmtcode/agent'
import type { CallerPeer, MeshNode } from '@qmtcode/mesh'
import type { AgentSpec, Author, Board, Clock, Logger, PeerId, SessionId, Sessions } from '@qmtcode/protocol'
import { accountName } from '../account.ts'
import { defaultAgentId } from '../config/agents.ts'
import type { AcpAgentConfig, Config } from '../config/config.ts'
import type { Environment } from '../config/environment.ts'
import { socketPathOf } from '../local/socket-path.ts'
import type { AdminsObserve } from './admins-observe.ts'
import type { Workspaces } from '../node-handle.ts'
import { VERSION } from '../version.ts'

/** The sessions that this node holds, for its own person and for peers. */
export interface SessionSide extends AsyncDisposable {
  /** As the person at this node. */
  own: Sessions
  /** As one peer gets them, and since when it may observe as an admin. May be called before `begin`; its calls wait for it. */
  forPeer(peer: CallerPeer, observesSince: AdminsObserve['since']): Sessions
  /** What workspaces bring for programs to obey, and what of it the person trusts. */
  workspaces: Workspaces
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
  /** Absent: the mesh is not enabled. */
  mesh?: { board: Board; node: Pick<MeshNode, 'about' | 'onStanding'> }
}

export function createSessionSide(components: SessionSideComponents): SessionSide {
  const { config, env, cwd, agents, clock, logger, node, log, router, mesh } = components
  const { share } = config.mesh
  const secrets = [config.file, config.mesh.identityFile, config.server.tlsKey].filter((file) => file !== undefined)
  const sandbox = createSandbox(
    { env },
    {
      mode: config.permissions.sandbox,
      closed: [config.home, dirname(socketPathOf(config.home)), ...secrets],
      readable: config.permissions.sandboxRead,
      writable: config.permissions.sandboxWrite,
    },
  )
  const tools = createTools({ env, sandbox }, { qmtHome: config.home, closed: secrets, extra: mesh && createBoardTools(mesh.board) })
  const permissions = createPermissions({ ...config.permissions, home: env['HOME'] })
  const workspaceTrust = createWorkspaceTrust({ home: env['HOME'] ?? homedir(), qmtHome: config.home })
  const guestFiles = createGuestFiles({ clock, log: logger.child('files') }, { qmtHome: config.home })
  const ownTurn = createTurnRunner(
    { router, tools, permissions, workspaceTrust, guestFiles, clock, log: logger.child('turn'), node: node.name },
    { guestShell: share.shell },
  )
  const foreign = createForeignAgents(
    {
      agents: config.acpAgents.map(foreignOf),
      tools,
      permissions,
      workspaceTrust,
      guestFiles,
      clock,
      env,
      log: logger.child('agents'),
      node: node.name,
      version: VERSION,
    },
    {
      launch: { directory: join(config.home, 'agents'), workspaces: [cwd, ...share.workspaces], home: env['HOME'] ?? homedir() },
      forGuests: share.agents,
      guestShell: share.shell === 'ask' ? 'ask' : 'no', // no sandbox holds what they run
    },
  )
  const runTurn: RunTurn = (turn) => (foreign.has(turn.agent.id) ? foreign.runTurn(turn) : ownTurn(turn))
  const discard = async (id: SessionId): Promise<void> => {
    await foreign.discard(id)
    await tools.discard(id)
  }
  const files = createWorkspaceFiles({ tools, permissions, env })
  const catalog = catalogOf(config, agents)
  const assertMay = createTurnJudge({ agents: catalog, node }, { share, about: mesh?.node.about })
  const sessions = createSessions(
    {
      log,
      runTurn,
      files,
      agents: catalog,
      agentModels: foreign.models,
      assertMay,
      discard,
      clock,
      logger: logger.child('sessions'),
      node,
    },
    { defaultWorkspace: cwd },
  )
  mesh?.node.onStanding(() => {
    sessions.judgeAgain().catch((error: unknown) => logger.error('running turns were not judged again', { error }))
  })
  const bounds = createPeerBounds({ sessions, clock, node })
  const presenceGraceMs = config.mesh.streamReconnectGraceSecs * 1_000
  const started = Promise.withResolvers<void>()
  started.promise.catch(() => {}) // who calls meanwhile hears of it, and so does who begins
  return {
    own: sessions.as(personAt(node)),
    workspaces: workspaceTrust,
    forPeer: (caller, observesSince) =>
      createPeerSessions(
        { sessions, agents: catalog, bounds, node, ready: started.promise, presenceGraceMs },
        { caller, share: { ...share, observesSince } },
      ),
    sharedAgents:
      share.workspaces.length === 0 ? [] : agents.filter((agent) => agent.target.kind === 'local' && isSharedAgent(agent, share)),
    begin: async () => {
      try {
        await sessions.start()
        started.resolve()
      } catch (error) {
        started.reject(error)
        throw error
      }
    },
    [Symbol.asyncDispose]: async () => {
      await sessions.stop()
      await foreign.stop()
    },
  }
}

const foreignOf = ({ id, acp, idleSecs }: AcpAgentConfig): ForeignAgent => ({ id, command: acp, idleMs: idleSecs * 1_000 })

function catalogOf(config: Config, agents: readonly AgentSpec[]): AgentCatalog {
  const byId = new Map(agents.map((agent) => [agent.id, agent]))
  const fallback = byId.get(defaultAgentId(config))
  if (!fallback) throw new Error('the default agent is one of the agents')
  return { get: (id) => byId.get(id), default: () => fallback }
}

/** Whoever can open the socket is this node's own user. */
const personAt = ({ name, peerId }: SessionSideComponents['node']): Author => ({ node: name, peerId, user: accountName() })
