import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEventLog, createPermissions, createSessions, createTools, createWorkspaceFiles } from '@qmtcode/agent'
import type { AgentCatalog, LocalSessions, RunTurn, SessionsComponents } from '@qmtcode/agent'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { AgentSpec, Sessions } from '@qmtcode/protocol'

/** The product's sessions over a log in a directory of their own. */
export interface SessionsHost extends AsyncDisposable {
  as(user: string): Sessions
  workspace: string
  agents: AgentCatalog
  /** What runs now: another one after a restart. */
  local(): LocalSessions
  /** Stops sessions and log, and starts them again over the same file. */
  restart(): Promise<void>
}

const coder: AgentSpec = { id: 'coder', name: 'Coder', description: '', kind: 'local', capabilities: [], target: { kind: 'local' } }
const agents = { get: (id: string) => (id === coder.id ? coder : undefined), default: () => coder }

export async function startSessionsHost(
  runTurn: RunTurn,
  { node = { name: 'host' }, assertMay }: Partial<Pick<SessionsComponents, 'node' | 'assertMay'>> = {},
): Promise<SessionsHost> {
  const workspace = await mkdtemp(join(tmpdir(), 'qmt-host-'))
  const parts = { clock: systemClock, logger: silentLogger }
  const start = async () => {
    const log = createEventLog(parts, { file: join(workspace, 'sessions.db') })
    await log.start()
    const tools = createTools({ env: process.env }, { qmtHome: join(workspace, '.qmt') })
    const files = createWorkspaceFiles({ tools, permissions: createPermissions(), env: process.env })
    const sessions = createSessions({ ...parts, log, runTurn, files, agents, assertMay, node }, { defaultWorkspace: workspace })
    await sessions.start()
    return { log, sessions }
  }
  const stop = async (): Promise<void> => {
    await running.sessions.stop()
    await running.log.stop()
  }
  let running = await start()
  return {
    as: (user) => running.sessions.as({ node: user }),
    workspace,
    agents,
    local: () => running.sessions,
    async restart() {
      await stop()
      running = await start()
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(workspace, { recursive: true, force: true })
    },
  }
}
