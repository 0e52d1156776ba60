import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { AgentSpec, PeerId, SessionId, Sessions } from '@qmtcode/protocol'
import { createEventLog } from '../log/event-log.ts'
import type { EventLog, EventLogOptions } from '../log/types.ts'
import { createPermissions } from '../permissions/permissions.ts'
import type { PermissionOptions } from '../permissions/types.ts'
import { createTools } from '../tools/tool-set.ts'
import type { RunTurn } from '../turn/types.ts'
import { createSessions } from './local-sessions.ts'
import type { AgentCatalog, LocalSessions, SessionsComponents, SessionsOptions } from './types.ts'
import { createWorkspaceFiles } from './workspace-files.ts'

/** Test kit: a host of sessions in a directory of its own. */
export interface SessionsKit extends AsyncDisposable {
  readonly log: EventLog
  readonly sessions: LocalSessions
  as(user: string): Sessions
  agents: AgentCatalog
  workspace: string
  file: string
  restart(): Promise<void>
}

const coder: AgentSpec = { id: 'coder', name: 'Coder', description: '', kind: 'local', capabilities: [], target: { kind: 'local' } }

const agents: AgentCatalog = { get: (id) => (id === coder.id ? coder : undefined), default: () => coder }

export async function startSessions(
  runTurn: RunTurn,
  options: Partial<EventLogOptions> & {
    cancelGraceMs?: number
    limits?: SessionsOptions['limits']
    peerId?: PeerId
    permissions?: PermissionOptions
    discard?(id: SessionId): Promise<void>
    assertMay?: SessionsComponents['assertMay']
  } = {},
): Promise<SessionsKit> {
  const { cancelGraceMs, limits, peerId, permissions, discard, assertMay, ...logOptions } = options
  const workspace = await mkdtemp(join(tmpdir(), 'qmt-sessions-'))
  const file = options.file ?? join(workspace, 'sessions.db')
  const start = async (): Promise<{ log: EventLog; sessions: LocalSessions }> => {
    const log = createEventLog({ clock: systemClock, logger: silentLogger }, { ...logOptions, file })
    await log.start()
    const tools = createTools({ env: process.env }, { qmtHome: join(workspace, '.qmt') })
    const files = createWorkspaceFiles({ tools, permissions: createPermissions(permissions), env: process.env })
    const sessions = createSessions(
      { log, runTurn, files, agents, assertMay, discard, clock: systemClock, logger: silentLogger, node: { name: 'host', peerId } },
      { defaultWorkspace: workspace, cancelGraceMs, limits },
    )
    await sessions.start()
    return { log, sessions }
  }
  const stop = async (): Promise<void> => {
    await running.sessions.stop()
    await running.log.stop()
  }
  let running = await start()
  return {
    get log() {
      return running.log
    },
    get sessions() {
      return running.sessions
    },
    as: (user) => running.sessions.as({ node: user }),
    agents,
    workspace,
    file,
    restart: async () => {
      await stop()
      running = await start()
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      await rm(workspace, { recursive: true, force: true })
    },
  }
}
