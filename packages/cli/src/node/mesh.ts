import { join } from 'node:path'
import { createMeshNode, openBoard } from '@qmtcode/mesh'
import type { MeshNode, StartReport } from '@qmtcode/mesh'
import { modelsContract, modelsHandlers, sessionsContract, sessionsHandlers } from '@qmtcode/protocol'
import type { Audit, Board, Clock, Logger, PeerInfo } from '@qmtcode/protocol'
import type { Config } from '../config/config.ts'
import type { OpenNodeOptions } from '../node-handle.ts'
import { duration } from '../output/format.ts'
import { openAdminsObserve } from './admins-observe.ts'
import { startAdvertising } from './advertise.ts'
import { startJoining } from './joining.ts'
import type { ModelSide } from './models.ts'
import type { RowsSide } from './rows/start-rows.ts'
import type { SessionSide } from './sessions.ts'

export interface MeshSide extends AsyncDisposable {
  node: MeshNode
  board: Board
  /** What of its files is damaged, a line each. */
  problems(): string[]
  listenAddresses(): string[]
  /** Listens, dials, and offers what this node shares. */
  begin(offered: Offered): Promise<void>
  /** Resolves when every configured peer has told of itself or refused, or after `waitMs`. */
  settled(waitMs: number): Promise<void>
}

const TELL_AFTER_MS = 1_000 // a wait that a person notices is explained

/** What peers reach of this node. */
export interface Offered {
  models: ModelSide
  sessions: SessionSide
  rows: RowsSide
}

export async function startMesh(
  components: { config: Config; version: string; clock: Clock; logger: Logger; audit: Audit },
  options: OpenNodeOptions,
): Promise<MeshSide> {
  const { config, version, clock, logger, audit } = components
  const { mesh } = config
  const node = await createMeshNode(
    { clock, log: logger, audit },
    {
      identityFile: mesh.identityFile,
      knownPeersFile: join(config.home, 'known_peers.json'),
      listen: mesh.listen,
      defaultListen: mesh.defaultListen,
      name: mesh.nodeName,
      peers: mesh.peers,
      discovery: mesh.discovery,
      nat: mesh.nat,
      trust: mesh.trust,
      version,
      requestTimeoutMs: mesh.requestTimeoutSecs * 1_000,
      timings: { dialWait: options.dialWaitMs },
    },
  )
  await using resources = new AsyncDisposableStack()
  resources.use(node)
  const board = resources.use(
    await openBoard({ clock, log: logger, gossip: node.gossip, about: node.about }, { file: join(config.home, 'board.jsonl') }),
  )
  let report: StartReport | undefined
  const owned = resources.move()
  return {
    node,
    board,
    problems: board.problems,
    listenAddresses: () => report?.listenAddresses ?? [],
    begin: async ({ models, sessions, rows }) => {
      const admins = openAdminsObserve(
        { clock, logger },
        { file: join(config.home, 'admins_observe.json'), enabled: mesh.share.adminsObserve, peers: await node.trust.list() },
      )
      node.onStanding(admins.changed)
      node.serve(modelsContract, { handlersFor: (peer) => modelsHandlers(models.forPeer(peer)) })
      node.serve(sessionsContract, { handlersFor: (peer) => sessionsHandlers(sessions.forPeer(peer, admins.since)) })
      report = await node.start()
      await models.routes.start()
      if (report.moved && isKnownByPort(options)) options.notice(`${report.moved.from} is taken: listening on ${report.moved.to}`)
      if (mesh.invite !== undefined) owned.use(await startJoining({ trust: node.trust, logger, notice: options.notice }, mesh.invite))
      owned.use(startAdvertising({ node, models, rows, agents: sessions.sharedAgents, config, logger }))
    },
    settled: (waitMs) => settled(node, waitMs, options),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** A command that only asks others dials, and is gone before anybody looks for its port. */
const isKnownByPort = ({ serve, mesh, waitMs }: OpenNodeOptions): boolean => serve || (mesh.enabled && waitMs === 0)

/** It is dialled, or connected and has not told yet what it offers. */
const isComing = (peer: PeerInfo): boolean => peer.state === 'connecting' || (peer.state === 'connected' && peer.hasRecord === false)

async function settled(node: MeshNode, waitMs: number, { signal, notice }: Pick<OpenNodeOptions, 'signal' | 'notice'>): Promise<void> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
  const refused = new Set<string>()
  const missing = async (): Promise<string[]> => {
    const [{ unmet = [] }, peers] = await Promise.all([node.peers.status(), node.peers.list()])
    return [...unmet, ...peers.filter(isComing)].map(({ name }) => name).filter((name) => !refused.has(name))
  }
  const events = node.peers.follow({ signal: bound })
  let names = await missing()
  const telling = setTimeout(() => notice(`waiting for ${names.join(', ')}, at most ${duration(waitMs)}`), TELL_AFTER_MS)
  try {
    if (names.length === 0) return
    for await (const event of events) {
      if (event.type === 'peer.refused') refused.add(event.name)
      names = await missing()
      if (names.length === 0) return
    }
  } finally {
    clearTimeout(telling)
  }
}
