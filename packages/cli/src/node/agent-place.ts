import { AppError } from '@qmtcode/protocol'
import type { Sessions, SessionInit } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'

/** Where sessions of an agent begin. */
export interface AgentPlace {
  sessions: Sessions
  /** The agent and the workspace as that host calls them. */
  init: Pick<SessionInit, 'agent' | 'workspace'>
  /** The name of the host, where it is not this node. */
  host?: string
}

/**
 * An agent of `[[remote_agents]]` lives on a peer: its sessions begin there, tools and all. Every other agent is this node's, with
 * `workspace`. Throws bad_request where the mesh is not enabled, not_found for a peer that nothing is known of.
 */
export async function placeOfAgent(node: NodeHandle, { agent, workspace }: Pick<SessionInit, 'agent' | 'workspace'>): Promise<AgentPlace> {
  const spec = (await node.agents()).find(({ id, kind }) => id === agent && kind === 'remote')
  if (!spec) return { sessions: node.sessions, init: placed({ agent, workspace }) }
  const { target, remote = {} } = spec
  if (target.kind !== 'peer') {
    throw new AppError('unsupported', `the agent ${spec.id} runs on any node, and choosing one is not built yet`, {
      hint: `name the node: peer = "NODE" in its [[remote_agents]]`,
    })
  }
  if (!node.peers) {
    throw new AppError('bad_request', `the agent ${spec.id} runs on ${target.peer}, and the mesh is not enabled here`, {
      hint: '[mesh] enabled = true in the configuration, or start with --mesh',
    })
  }
  const { peerId, name } = await node.peers.resolve(target.peer)
  const there = (await node.peers.list()).find((peer) => peer.peerId === peerId)
  const named = remote.agent ?? (there?.agents.includes(spec.id) === true ? spec.id : undefined)
  return { sessions: node.peers.sessions(peerId), init: placed({ agent: named, workspace: remote.workspace }), host: name }
}

const placed = ({ agent, workspace }: AgentPlace['init']): AgentPlace['init'] => ({
  ...(agent !== undefined && { agent }),
  ...(workspace !== undefined && { workspace }),
})
