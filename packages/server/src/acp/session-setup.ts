import type { McpServer, NewSessionRequest } from '@agentclientprotocol/sdk'
import { AppError } from '@qmtcode/protocol'

/** Whose sessions they are: `local`, or another node's, whose files and programs are not the editor's. */
export type AcpHost = 'local' | RemoteHost
interface RemoteHost {
  node: string
  /** A directory of that node; default: its own choice. */
  workspace?: string
}

const HINT = "turn them off for this agent in the editor's settings"

/** `cwd`, servers and directories are paths and commands of the editor's machine: another one must not take them for its own. */
export function checkSetup(
  { mcpServers = [], additionalDirectories = [] }: Partial<Pick<NewSessionRequest, 'additionalDirectories'>> & { mcpServers?: McpServer[] },
  host: AcpHost,
): void {
  if (additionalDirectories.length > 0) {
    throw new AppError('unsupported', 'a session has one directory: additionalDirectories are not supported')
  }
  if (mcpServers.length === 0) return
  const names = mcpServers.map(({ name }) => name.slice(0, 60)).join(', ')
  if (host === 'local') throw new AppError('unsupported', `MCP servers (${names}): not built yet`, { hint: HINT })
  const whose = 'they are commands of your machine'
  throw new AppError('forbidden', `${host.node} runs no MCP servers of its callers (${names}): ${whose}`, { hint: HINT })
}

/** The editor's directory is the workspace where both are on one machine; else the host says which. */
export const workspaceFor = (cwd: string, host: AcpHost): string | undefined => (host === 'local' ? cwd : host.workspace)
