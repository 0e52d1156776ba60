import type { AgentSpec, Author, Clock, Logger, PeerId, Sessions } from '@qmtcode/protocol'
import type { EventLog } from '../log/types.ts'
import type { RunTurn } from '../turn/types.ts'

/** The sessions that this node holds. Each caller has a view of its own; all views see the same sessions. */
export interface LocalSessions {
  /** What `author` does appears under this name. */
  as(author: Author): Sessions
  /**
   * After the log's start and before any view is used. Ends what a crash cut as `interrupted`, and starts the prompts that wait,
   * except behind an interrupted turn: those wait until it is resumed, given up (`cancel`), or followed by a new prompt.
   */
  start(): Promise<void>
  /** Ends running turns as `interrupted`, so that they can be resumed; then all followers, cleanly. Before the log's stop. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface SessionsComponents {
  /** Started and stopped by its owner. */
  log: EventLog
  runTurn: RunTurn
  agents: AgentCatalog
  clock: Clock
  logger: Logger
  /** How this node appears in SessionInfo; read at each use. */
  node: { readonly name: string; readonly peerId?: PeerId }
}

export interface AgentCatalog {
  get(id: string): AgentSpec | undefined
  default(): AgentSpec
}

export interface SessionsOptions {
  /** Workspace of sessions that name none: the directory qmtcode was started in. */
  defaultWorkspace: string
  /** How long a cancelled turn may take to end by itself before it is cut. Default: 10 s. */
  cancelGraceMs?: number
}

/** How an author is named to people: `user@node`, or the node. */
export const nameOf = ({ user, node }: Author): string => (user === undefined ? node : `${user}@${node}`)
