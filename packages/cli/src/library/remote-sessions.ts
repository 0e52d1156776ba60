import { AppError, sessionIdSchema } from '@qmtcode/protocol'
import type { PeerId, Peers, SessionId, SessionInfo, SessionInit, Sessions } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { openSession } from './session.ts'
import type { AgentSession } from './session.ts'

/** A session that another node holds. */
export interface RemoteSession {
  node: string
  peerId: PeerId
  sessionId: SessionId
  info: SessionInfo
}

interface RemoteSessions {
  createRemoteSession(node: string, agentId?: string, init?: Omit<SessionInit, 'agent'>): Promise<RemoteSession>
  attachRemoteSession(remote: RemoteSession): Promise<AgentSession>
  attachSession(node: string, sessionId: string): Promise<AgentSession>
}

export function remoteSessions({ sessions: own }: NodeHandle, peers: () => Peers): RemoteSessions {
  const at = async (written: string): Promise<{ name: string; peerId: PeerId; sessions: Sessions }> => {
    const { name, peerId, self } = await peers().resolve(written)
    return { name, peerId, sessions: self ? own : peers().sessions(peerId) }
  }
  const attach = async (node: string, id: SessionId): Promise<AgentSession> => {
    const { sessions } = await at(node)
    return openSession(sessions, await sessions.get(id))
  }
  return {
    createRemoteSession: async (written, agentId, init = {}) => {
      const { name: node, peerId, sessions } = await at(written)
      const info = await sessions.create({ ...init, agent: agentId })
      return { node, peerId, sessionId: info.id, info }
    },
    attachRemoteSession: ({ peerId, sessionId }) => attach(peerId, sessionId),
    attachSession: async (node, sessionId) => {
      const id = sessionIdSchema.safeParse(sessionId)
      if (!id.success) throw new AppError('bad_request', `${JSON.stringify(sessionId.slice(0, 60))} is not a session id (ses_…)`)
      return await attach(node, id.data)
    },
  }
}
