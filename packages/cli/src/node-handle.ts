import type { WorkspaceTrust } from '@qmtcode/agent'
import type { Rotated } from '@qmtcode/mesh/identity'
import type {
  AgentSpec,
  Author,
  Board,
  Clock,
  Diagnosis,
  Json,
  Models,
  PeerId,
  Peers,
  Routes,
  SessionRows,
  SessionId,
  Sessions,
  Trust,
} from '@qmtcode/protocol'
import type { AttachedSessions } from './chat/attached-file.ts'
import type { Diagnostic } from './config/diagnostics.ts'
import type { Environment } from './config/environment.ts'

/** A running node as a command sees it: in this process, or over the local socket of the one that already runs. */
export interface NodeHandle {
  sessions: Sessions
  models: Models
  /** Sessions here and on nodes that members tell of. */
  rows: SessionRows
  /** Absent: the mesh is not enabled. */
  peers?: Peers
  trust?: Trust
  diagnosis?: Diagnosis
  board?: Board
  /** As they were when this node was opened, or newer. */
  routes: Routes
  agents(): Promise<AgentSpec[]>
  /** What directories here bring for programs and agents to run or obey, and what of it the person trusts. */
  workspaces: Workspaces
  /** Questions that wait for this node's own person: those that are open, then each change. */
  reserved(options?: { signal?: AbortSignal }): AsyncIterable<ReservedChange>
  status(): Promise<NodeStatus>
  /** Other processes that use this node; absent: it is another's. */
  others?: OtherProcesses
  /** Stops a node of this process, leaves another alone. Safe to call twice. */
  close(): Promise<void>
}

/** `decide` is refused to a process that a tool started. */
export type Workspaces = Pick<WorkspaceTrust, 'look' | 'decide'>

/** A permission of a peer's turn that the host's rules keep for its person. */
export interface ReservedQuestion {
  sessionId: SessionId
  id: string
  tool: string
  summary: string
  author: Author
}
/** `settled`: answered, or its turn is over. */
export interface ReservedChange {
  type: 'asked' | 'settled'
  question: ReservedQuestion
}

interface OtherProcesses {
  isUsed(): boolean
  /** Resolves when none is connected, or at the abort. */
  untilUnused(signal: AbortSignal): Promise<void>
}

export interface NodeStatus {
  /** Node name. */
  node: string
  peerId?: PeerId
  pid: number
  version: string
  /** Real, dialable multiaddrs with `/p2p`. */
  listenAddresses: string[]
  /** What is dialled because a flag or the configuration says so; `note` tells how an address was understood. */
  dialling?: { address: string; note?: string }[]
  defaultModel?: DefaultModel
  /** Files of this node that were damaged: what, and where the copy is. */
  problems?: string[]
}

/** `from`: where the choice comes from (a key of the configuration, a variable). `problem`: why there is none; `hint`: how to have one. */
type DefaultModel = { model: string; from: string } | { problem: string; hint?: string }

/** The mesh as the command line asks for it; the file's `[mesh]` holds where these are silent. */
export interface MeshFlags {
  /** Any of the flags was given. */
  enabled: boolean
  /** Of `--mesh=ADDR`: listened on or dialled, whatever the address is. */
  addresses: string[]
  listen: string[]
  connect: string[]
  /** An invite, redeemed at the start. */
  join?: string
}

export interface OpenNodeComponents {
  /** QMT_HOME, absolute. */
  home: string
  env: Environment
  cwd: string
  version: string
}

export interface OpenNodeOptions {
  /** As given; absent: `QMT_HOME/config.toml`, if it is there. */
  configPath?: string
  mesh: MeshFlags
  /** This process wants to be the node: throws conflict (with the pid) where another one holds QMT_HOME. */
  serve: boolean
  /**
   * Where nothing was said, a node that begins here is one of the mesh: `listens` with the defaults, `dials` only, or `either`: it dials in a
   * home that joined a mesh, else it listens. A node that runs is used as it is.
   */
  withMesh?: 'listens' | 'dials' | 'either'
  /** How long to wait for the configured peers before anything else; 0: not at all. */
  waitMs: number
  /** How long a call waits for its peer while that is being dialled (`--wait`). */
  dialWaitMs: number
  signal: AbortSignal
  /** A line for the person: a warning of the configuration, a port that was taken. Without a line end. */
  notice(line: string): void
}

export interface ConfigReport {
  /** Absent: there is no file, defaults hold. */
  file?: string
  /** In the order of the file. */
  diagnostics: Diagnostic[]
}

interface NodeIdentity {
  peerId: PeerId
  /** Where its key lies. */
  file?: string
}

export type OutputStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
export type InputStream = NodeJS.ReadableStream & { isTTY?: boolean; destroy?(): unknown }
/** SIGHUP: the terminal is gone. */
export type Interrupt = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** All that the command line touches; a test gives streams of its own and a handle made of small ports. */
export interface Components {
  openNode(options: OpenNodeOptions): Promise<NodeHandle>
  /** Throws bad_config for a file that cannot be read; what is wrong in it is in the report. */
  checkConfig(options: { configPath?: string }): Promise<ConfigReport>
  configSchema(): Promise<Json>
  /** Reads this node's key, makes it where there is none. Starts nothing. */
  identity(options: { configPath?: string }): Promise<NodeIdentity>
  /** A new key, signed by the old one. Throws conflict (with the pid) where a node runs. */
  rotateIdentity(options: { configPath?: string }): Promise<Rotated>
  /** What was attached from here; `notice` is told where that cannot be read. */
  attached(notice: (line: string) => void): AttachedSessions
  version: string
  stdin: InputStream
  stdout: OutputStream
  stderr: OutputStream
  env: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  cwd: string
  clock: Clock
  /** Calls `listener` for each signal until the returned function is called. */
  onInterrupt(listener: (interrupt: Interrupt) => void): () => void
}
