import type { ProviderConfig } from '@qmtcode/agent'
import type { PeerId, Role } from '@qmtcode/protocol'
import type { z } from 'zod'
import type { Camel } from './camel.ts'
import type { acpAgentSchema, delegateSchema, remoteAgentSchema } from './schema/agents.ts'
import type { meshSchema } from './schema/mesh.ts'
import type { mcpSchema, permissionsSchema } from './schema/node.ts'

/** What a node runs by: file, environment and defaults in one. Paths are absolute, addresses canonical; flags come on top (`applyFlags`). */
export interface Config {
  /** Absolute; absent where no file was found. */
  file?: string
  /** QMT_HOME. */
  home: string
  /** Whether the file says anything of the mesh, be it that it is off. */
  saysMesh: boolean
  mesh: MeshConfig
  agent?: AgentConfig
  planner?: AgentConfig
  delegates: AgentConfig[]
  remoteAgents: RemoteAgentConfig[]
  acpAgents: AcpAgentConfig[]
  /** By name. Providers without a table are not in it. */
  providers: Record<string, ProviderConfig>
  permissions: PermissionsConfig
  mcp: McpConfig[]
  server: ServerConfig
}

type MeshTable = Camel<z.output<typeof meshSchema>>

export interface MeshConfig extends Omit<MeshTable, 'enabled' | 'listen' | 'discovery' | 'nodeName' | 'identityFile' | 'nat' | 'peers'> {
  enabled: boolean
  /** What was asked for; empty: only dials, unless `defaultListen`. */
  listen: string[]
  /** Nothing was said: the default address, or the next free port. */
  defaultListen: boolean
  /** Empty: none. */
  discovery: ('mdns' | 'kademlia')[]
  nodeName: string
  identityFile: string
  nat: NatConfig
  peers: MeshPeerConfig[]
}

interface NatConfig extends Omit<MeshTable['nat'], 'announce' | 'relays'> {
  announce: string[]
  relays: string[]
}

export interface MeshPeerConfig {
  /** Of a peer from a flag: its address. */
  name: string
  /** Dialable multiaddr; ends in `/p2p/…` wherever the peer id is known. Absent: known by its id only. */
  addr?: string
  peerId?: PeerId
  role?: Role
  use: boolean
  labels: string[]
  requestTimeoutSecs?: number
  source: 'file' | 'flag'
}

export interface AgentConfig extends Camel<z.output<typeof delegateSchema>> {}
export interface RemoteAgentConfig extends Camel<z.output<typeof remoteAgentSchema>> {}
export interface AcpAgentConfig extends Camel<z.output<typeof acpAgentSchema>> {}
interface McpConfig extends Camel<z.output<typeof mcpSchema>> {}

type PermissionsTable = Camel<z.output<typeof permissionsSchema>>
export interface PermissionsConfig extends Omit<PermissionsTable, 'rule'> {
  rules: PermissionsTable['rule']
}

export interface ServerConfig {
  tlsCert?: string
  tlsKey?: string
  /** From `--dashboard`. */
  dashboard?: { host: string; port: number }
}
