import { hostname } from 'node:os'
import { join } from 'node:path'
import { createEventLog } from '@qmtcode/agent'
import { systemClock } from '@qmtcode/protocol'
import type { AgentSpec, PeerId } from '@qmtcode/protocol'
import { openAuditLog } from '../audit/audit-log.ts'
import { agentSpecsOf } from '../config/agents.ts'
import type { Config } from '../config/config.ts'
import { meshFingerprint } from '../config/fingerprint.ts'
import type { HomeLock } from '../local/home-lock.ts'
import { startLocalServer } from '../local/local-server.ts'
import type { LocalClient } from '../local/local-server.ts'
import { socketPathOf } from '../local/socket-path.ts'
import type { NodeHandle, NodeStatus, OpenNodeComponents, OpenNodeOptions } from '../node-handle.ts'
import { localServices } from './local-services.ts'
import { openLogFile } from './log-file.ts'
import type { MeshSide, startMesh } from './mesh.ts'
import { createModelSide } from './models.ts'
import type { ModelSide } from './models.ts'
import { resumingPeers } from './resuming-peers.ts'
import { startRows } from './rows/start-rows.ts'
import type { RowsSide } from './rows/start-rows.ts'
import { watchReservedQuestions } from './reserved-questions.ts'
import type { ReservedQuestions } from './reserved-questions.ts'
import { createSessionSide } from './sessions.ts'
import type { SessionSide } from './sessions.ts'

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
  const { logger } = starting.adopt(openLogFile(home, env['QMT_LOG']), (file) => file.close())
  const clock = systemClock
  const agents = agentSpecsOf(config)

  const log = starting.use(createEventLog({ clock, logger: logger.child('log') }, { file: join(home, 'sessions.db') }))
  // Its libraries are most of a start: read only where they are needed, and while the log's thread comes up.
  const [meshPart] = await Promise.all([config.mesh.enabled ? import('./mesh.ts') : undefined, log.start()])
  const mesh =
    meshPart && starting.use(await startMeshSide(meshPart, { config, version, clock, logger: logger.child('mesh'), home }, options))
  const node = { name: mesh?.node.name ?? hostname(), peerId: mesh?.node.peerId }
  const models = starting.use(createModelSide({ config, env, agents, clock, logger: logger.child('models'), node, mesh: mesh?.node }))
  const reserved = watchReservedQuestions(log)
  const rows = starting.use(startRows({ config, clock, logger: logger.child('rows'), log: reserved.log, node, mesh: mesh?.node }))
  const sessions = starting.use(
    createSessionSide({ config, env, cwd, agents, clock, logger, node, log: rows.log, router: models.router, mesh }),
  )
  await mesh?.begin({ models, sessions, rows })
  await reserved.begin()
  await sessions.begin()
  await rows.begin(sessions.own)

  const handle = handleOf({ agents, mesh, models, rows, reserved, sessions, status: statusOf(components, { node, mesh, models }) }, config)
  const socket = socketPathOf(home)
  const services = (client: LocalClient) => localServices(handle, client)
  const server = starting.use(await startLocalServer({ clock, log: logger.child('local'), services }, socket))
  lock.publish({ pid: process.pid, version, socket, fingerprint: meshFingerprint(config) })
  starting.defer(() => lock.withdraw())
  if (options.waitMs > 0) await mesh?.settled(options.waitMs)

  const running = starting.move()
  let closing: Promise<void> | undefined
  return { ...handle, others: server, close: () => (closing ??= running.disposeAsync()) }
}

type MeshPart = { startMesh: typeof startMesh }
type MeshSideComponents = Omit<Parameters<MeshPart['startMesh']>[0], 'audit'> & { home: string }

/** The mesh, and the audit of what its peers do; noted until the last of them is gone. */
async function startMeshSide(part: MeshPart, { home, ...components }: MeshSideComponents, options: OpenNodeOptions): Promise<MeshSide> {
  const { clock, logger } = components
  const audit = await openAuditLog(join(home, 'audit.jsonl'), { clock, log: logger.child('audit') })
  await using starting = new AsyncDisposableStack()
  starting.defer(() => audit.close())
  const mesh = starting.use(await part.startMesh({ ...components, audit }, options))
  const started = starting.move()
  return { ...mesh, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

interface Sides {
  agents: AgentSpec[]
  mesh: MeshSide | undefined
  models: ModelSide
  rows: RowsSide
  reserved: ReservedQuestions
  sessions: SessionSide
}

/** The ports of the node; its owner closes it. */
function handleOf(
  { agents, mesh, models, rows, reserved, sessions, status }: Sides & Pick<NodeHandle, 'status'>,
  config: Config,
): NodeHandle {
  const graceMs = config.mesh.streamReconnectGraceSecs * 1_000
  return {
    sessions: sessions.own,
    models: models.local,
    rows: rows.port,
    ...(mesh && {
      peers: resumingPeers(mesh.node.peers, graceMs),
      trust: mesh.node.trust,
      diagnosis: mesh.node.diagnosis,
      board: mesh.board,
    }),
    routes: models.routes,
    agents: () => Promise.resolve(agents),
    workspaces: sessions.workspaces,
    reserved: ({ signal } = {}) => reserved.follow(signal),
    status,
    close: () => Promise.resolve(),
  }
}

function statusOf(
  { version, dialling }: LocalNodeComponents,
  parts: Pick<Sides, 'mesh' | 'models'> & { node: { name: string; peerId?: PeerId } },
) {
  const { node, mesh, models } = parts
  return async (): Promise<NodeStatus> => ({
    node: node.name,
    peerId: node.peerId,
    pid: process.pid,
    version,
    listenAddresses: mesh?.listenAddresses() ?? [],
    dialling: dialling.map((address) => ({ address, note: 'not an address of this machine; to listen: --mesh-listen' })),
    defaultModel: await models.describeDefault(),
    problems: mesh?.problems() ?? [],
  })
}
