import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createEventLog, createPeerBounds, createPeerSessions, createSessions } from '@qmtcode/agent'
import type { EventLog, RunTurn } from '@qmtcode/agent'
import { sessionsContract, sessionsHandlers, silentLogger, systemClock } from '@qmtcode/protocol'
import type { AgentSpec, PeerId, Sessions } from '@qmtcode/protocol'
import { makeNode } from './mesh.ts'
import type { Place } from './mesh.ts'

const AGENT: AgentSpec = { id: 'bench', name: 'bench', description: '', kind: 'local', capabilities: [], target: { kind: 'local' } }
const NAME = 'host'

/** The sessions of this process, as its own person has them. Ends with the process. */
export interface SessionNode {
  log: EventLog
  sessions: Sessions
  /** Where peers reach them; absent: no mesh. */
  place?: Place
}

export interface SessionNodeInit {
  directory: string
  runTurn: RunTurn
  /** Admitted as admins, who may observe every session. Absent: no mesh. */
  guests?: readonly PeerId[]
}

/** Composed as `qmtcode` composes it, without tools and models. */
export async function startSessionNode({ directory, runTurn, guests }: SessionNodeInit): Promise<SessionNode> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const components = { clock: systemClock, logger: silentLogger }
  const log = createEventLog(components, { file: join(directory, 'sessions.db') })
  await log.start()
  const agents = { get: () => AGENT, default: () => AGENT }
  const local = createSessions({ ...components, log, agents, runTurn, node: { name: NAME } }, { defaultWorkspace: directory })
  await local.start()
  const sessions = local.as({ node: NAME, user: 'bench' })
  if (!guests) return { log, sessions }

  const peers = guests.map((peerId, index) => ({ name: `guest-${index}`, peerId, role: 'admin' as const }))
  const node = await makeNode({ directory, name: NAME, peers, listen: true })
  const self = { name: NAME, peerId: node.peerId }
  const bounds = createPeerBounds({ sessions: local, clock: systemClock, node: self })
  const share = { agents: ['*'], workspaces: [directory], models: ['*'], sessions: 'shared' as const }
  node.serve(sessionsContract, {
    handlersFor: (caller) => sessionsHandlers(createPeerSessions({ sessions: local, agents, bounds, node: self }, { caller, share })),
  })
  const { listenAddresses } = await node.start()
  return { log, sessions, place: { address: listenAddresses[0] ?? '', peerId: node.peerId } }
}
