export { createAgent } from './library/agent.ts'
export type { Agent, AgentOptions } from './library/agent.ts'
export type { Mesh, RemoteNode } from './library/mesh.ts'
export type { RemoteSession } from './library/remote-sessions.ts'
export type { AgentSession, AskedEvent, ChatOptions } from './library/session.ts'
export { AppError, isAppError } from '@qmtcode/protocol'
export type {
  ErrorCode,
  PeerInfo,
  RouteTarget,
  RoutingPolicy,
  RoutingSnapshot,
  SessionEvent,
  SessionInfo,
  SessionInit,
} from '@qmtcode/protocol'
