import { hostname, userInfo } from 'node:os'
import { createEventLog, createPermissions, createSessions, createTools, createTurnRunner } from '@qmtcode/agent'
import { systemClock } from '@qmtcode/protocol'
import type { AgentSpec, Author } from '@qmtcode/protocol'
import { join } from 'node:path'
import { agentSpecsOf, defaultAgentId } from '../config/agents.ts'
import type { Config } from '../config/config.ts'
import { meshFingerprint } from '../config/fingerprint.ts'
import type { HomeLock } from '../local/home-lock.ts'
import { startLocalServer } from '../local/local-server.ts'
import { socketPathOf } from '../local/socket-path.ts'
import type { NodeHandle, NodeStatus, OpenNodeOptions } from '../node-handle.ts'
import { localServices } from './local-services.ts'
import { openLogFile } from './log-file.ts'
import { createModelSide } from './models.ts'
import type { OpenNodeComponents } from './open-node.ts'
import { resumingPeers } from './resuming-peers.ts'
import { servePeers } from './serve-peers.ts'

export interface LocalNodeComponents extends OpenNodeComponents {
  /** Ours from the start; released by the node's close. */
  lock: HomeLock
  config: Config
  dialling: string[]
}

/** Everything of one node, composed, started in order, and stopped in the reverse order by `close`. */
export async function startLocalNode(components: LocalNodeComponents, options: OpenNodeOptions): Promise<NodeHandle> {
  const { home, env, cwd, version, lock, config } = components
  await using starting = new AsyncDisposableStack()
  starting.defer(() => lock.release())
  const logFile = starting.adopt(openLogFile(home, env['QMT_LOG']), (file) => file.close())
  const { logger } = logFile
  const clock = systemClock
  const agents = agentSpecsOf(config)

  const log = starting.use(createEventLog({ clock, logger: logger.child('log') }, { file: join(home, 'sessions.db') }))
  // Its libraries are most of a start: read only where they are needed, and while the log's thread comes up.
  const [meshPart] = await Promise.all([config.mesh.enabled ? import('./mesh.ts') : undefined, log.start()])
  const mesh = starting.use(meshPart && (await meshPart.startMesh({ config, version, clock, logger: logger.child('mesh') }, options)))
  const node = { name: mesh?.node.name ?? hostname(), peerId: mesh?.node.peerId }
  const models = starting.use(createModelSide({ config, env, agents, clock, logger: logger.child('models'), node, mesh: mesh?.node }))
  const tools = createTools({ env }, { qmtHome: home })
  const permissions = createPermissions({ ...config.permissions, home: env['HOME'] })
  const runTurn = createTurnRunner(
    { router: models.router, tools, permissions, clock, log: logger.child('turn'), node: node.name },
    { guestShell: config.mesh.share.shell === 'ask' ? 'ask' : 'no' },
  )
  const catalog = catalogOf(config, agents)
  const sessions = starting.use(
    createSessions(
      { log, runTurn, agents: catalog, discard: tools.discard, clock, logger: logger.child('sessions'), node },
      { defaultWorkspace: cwd },
    ),
  )

  const served = servePeers({ sessions, agents: catalog, node }, config.mesh.share)
  await mesh?.begin({ models, sessionsFor: served.sessionsFor, agents: served.sharedAgents(agents) })
  await served.begin()
  const status = async (): Promise<NodeStatus> => ({
    node: node.name,
    peerId: node.peerId,
    pid: process.pid,
    version,
    listenAddresses: mesh?.listenAddresses() ?? [],
    dialling: components.dialling.map((address) => ({ address, note: 'not an address of this machine; to listen: --mesh-listen' })),
    defaultModel: await models.describeDefault(),
  })
  const handle: NodeHandle = {
    sessions: sessions.as(personHere(node)),
    models: models.local,
    ...(mesh && { peers: resumingPeers(mesh.node.peers, config.mesh.streamReconnectGraceSecs * 1_000), trust: mesh.node.trust }),
    routes: models.routes,
    agents: () => Promise.resolve(agents),
    status,
    close: () => Promise.resolve(),
  }
  const socket = socketPathOf(home)
  const server = starting.use(await startLocalServer({ clock, log: logger.child('local'), services: localServices(handle) }, socket))
  lock.publish({ pid: process.pid, version, socket, fingerprint: meshFingerprint(config) })
  starting.defer(() => lock.withdraw())
  if (options.waitMs > 0) await mesh?.settled(options.waitMs)

  const running = starting.move()
  let closing: Promise<void> | undefined
  return { ...handle, others: server, close: () => (closing ??= running.disposeAsync()) }
}

function catalogOf(config: Config, agents: readonly AgentSpec[]): Parameters<typeof createSessions>[0]['agents'] {
  const byId = new Map(agents.map((agent) => [agent.id, agent]))
  const fallback = byId.get(defaultAgentId(config))
  if (!fallback) throw new Error('the default agent is one of the agents')
  return { get: (id) => byId.get(id), default: () => fallback }
}

/** Whoever can open the socket is this node's own user. */
const personHere = (node: { name: string; peerId?: Author['peerId'] }): Author => ({
  node: node.name,
  peerId: node.peerId,
  user: userInfo().username,
})
