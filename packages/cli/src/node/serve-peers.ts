import { createPeerSessions, isSharedAgent } from '@qmtcode/agent'
import type { PeerSessionsComponents } from '@qmtcode/agent'
import type { CallerPeer } from '@qmtcode/mesh'
import type { AgentSpec, Sessions } from '@qmtcode/protocol'
import type { MeshConfig } from '../config/config.ts'

/** The sessions of this node, as peers get them. */
export interface ServedSessions {
  /** May be called before `begin`; its calls wait for it. */
  sessionsFor(peer: CallerPeer): Sessions
  sharedAgents(agents: readonly AgentSpec[]): AgentSpec[]
  /** Starts the sessions. */
  begin(): Promise<void>
}

export function servePeers(components: Omit<PeerSessionsComponents, 'ready'>, share: MeshConfig['share']): ServedSessions {
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
  ready.catch(() => {}) // who calls meanwhile hears of it, and so does who begins
  return {
    sessionsFor: (caller) => createPeerSessions({ ...components, ready }, { caller, share }),
    sharedAgents: (agents) =>
      share.workspaces.length === 0 ? [] : agents.filter(({ id, target }) => target.kind === 'local' && isSharedAgent(id, share)),
    begin: async () => {
      try {
        await components.sessions.start()
        resolve()
      } catch (error) {
        reject(error)
        throw error
      }
    },
  }
}
