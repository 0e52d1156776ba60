import process from 'node:process'
import { AppError } from '@qmtcode/protocol'
import type { Peers, RoutingSnapshot, SessionId, SessionInfo, SessionInit } from '@qmtcode/protocol'
import { qmtHomeOf } from '../config/file-paths.ts'
import { placeOfAgent } from '../node/agent-place.ts'
import type { NodeHandle } from '../node-handle.ts'
import { openNode } from '../node/open-node.ts'
import { VERSION } from '../version.ts'
import { createMesh } from './mesh.ts'
import type { Mesh, RemoteNode } from './mesh.ts'
import { remoteSessions } from './remote-sessions.ts'
import type { RemoteSession } from './remote-sessions.ts'
import { openSession } from './session.ts'
import type { AgentSession } from './session.ts'

/** A node as a program uses it: in this process, or the one of this home that runs already. */
export interface Agent extends AsyncDisposable {
  createSession(init?: SessionInit): Promise<AgentSession>
  session(id: SessionId): Promise<AgentSession>
  listSessions(): Promise<SessionInfo[]>
  /** Nodes of the mesh that this one knows, without itself. Throws bad_request where the mesh is not enabled. */
  listRemoteNodes(): Promise<RemoteNode[]>
  /** A new session on that node (name or peer id), with an agent that it shares; default: its default agent. Throws forbidden for what it does not share. */
  createRemoteSession(node: string, agentId?: string, init?: Omit<SessionInit, 'agent'>): Promise<RemoteSession>
  /** The session, to be used as one of this node. */
  attachRemoteSession(remote: RemoteSession): Promise<AgentSession>
  /** A session that is on that node already. */
  attachSession(node: string, sessionId: string): Promise<AgentSession>
  /** Where each agent's model calls go now. */
  routing: { load(): RoutingSnapshot }
  /** Throws bad_request where the mesh is not enabled. */
  mesh(): Promise<Mesh>
  /** The ports themselves, for what these shortcuts leave out. */
  node: NodeHandle
  close(): Promise<void>
}

export interface AgentOptions {
  /** Configuration file. Default: `config.toml` in `home`, if it is there. */
  config?: string
  /** QMT_HOME. Default: as the variable says, else `~/.qmt`. */
  home?: string
  /** Workspace of sessions that name none. Default: the working directory. */
  workspace?: string
  /** Runs a mesh node even where the configuration does not. */
  mesh?: boolean
  /** Time for the configured peers to connect, in milliseconds. Default: 5,000. */
  waitMs?: number
  /** Told what a person should read: warnings of the configuration. Default: nobody. */
  notice?(line: string): void
}

/**
 * Starts a node, or works through the one that another process runs in this home. Throws bad_config, and bad_request where the mesh that
 * is asked for is not that of the running node.
 */
export async function createAgent(options: AgentOptions = {}): Promise<Agent> {
  const { env } = process
  const cwd = options.workspace ?? process.cwd()
  const waitMs = options.waitMs ?? 5_000
  const node = await openNode(
    { home: options.home ?? qmtHomeOf(env, cwd), env, cwd, version: VERSION },
    {
      configPath: options.config,
      mesh: { enabled: options.mesh ?? false, addresses: [], listen: [], connect: [] },
      serve: false,
      waitMs,
      dialWaitMs: waitMs,
      signal: new AbortController().signal,
      notice: options.notice ?? (() => {}),
    },
  )
  const peers = (): Peers => {
    if (node.peers) return node.peers
    throw new AppError('bad_request', 'the mesh is not enabled here', {
      hint: 'createAgent({ mesh: true }), or [mesh] in the configuration',
    })
  }
  return {
    createSession: async (init = {}) => {
      const place = await placeOfAgent(node, init)
      return openSession(place.sessions, await place.sessions.create({ ...init, ...place.init }))
    },
    session: async (id) => openSession(node.sessions, await node.sessions.get(id)),
    listSessions: async () => (await node.sessions.list()).items,
    listRemoteNodes: async () => (await createMesh(peers())).connectedPeers({ all: true }),
    ...remoteSessions(node, peers),
    routing: { load: () => node.routes.load() },
    mesh: () => createMesh(peers()),
    node,
    close: () => node.close(),
    [Symbol.asyncDispose]: () => node.close(),
  }
}
