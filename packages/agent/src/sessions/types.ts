import type { AgentModels, AgentSpec, Author, Clock, Logger, PeerId, PromptId, SessionId, Sessions } from '@qmtcode/protocol'
import type { EventLog, SessionRow } from '../log/types.ts'
import type { RunTurn } from '../turn/types.ts'
import type { AccountLimits } from './accounts.ts'
import type { QuestionKind } from './open-questions.ts'
import type { WorkspaceFiles } from './workspace-files.ts'

/** The sessions that this node holds. Each caller has a view of its own; all views see the same sessions. */
export interface LocalSessions {
  /** What `author` does appears under this name. */
  as(author: Author, options?: ViewOptions): Sessions
  readonly records: SessionRecords
  /**
   * After the log's start and before any view is used. Ends what a crash cut as `interrupted`, and starts the prompts that wait,
   * except behind an interrupted turn: those wait until it is resumed, given up (`cancel`), or followed by a new prompt.
   */
  start(): Promise<void>
  /** Ends the turns that may not run any more. To be called when what peers may do here has changed. */
  judgeAgain(): Promise<void>
  /** Ends running turns as `interrupted`, so that they can be resumed; then all followers, cleanly. Before the log's stop. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

interface ViewOptions {
  /** What `list` shows. Default: every session. */
  shows?(row: SessionRow): boolean
  /** How long the author counts as present in a session after the link to it broke. Default: not at all. */
  presenceHeldMs?(): number
}

/** What access to a session is decided on. */
interface SessionRecords {
  row(id: SessionId): Promise<SessionRow | undefined>
  /** The prompt whose turn runs now. */
  running(id: SessionId): PromptId | undefined
  /** Whose prompts wait or run now, in all sessions. */
  unfinished(): Author[]
  /** What an open question is. */
  asks(id: SessionId, requestId: string): QuestionKind | undefined
  authorOf(id: SessionId, promptId: PromptId): Promise<Author | undefined>
}

export interface SessionsComponents {
  /** Started and stopped by its owner. */
  log: EventLog
  runTurn: RunTurn
  agents: AgentCatalog
  clock: Clock
  logger: Logger
  /** Called when a session is gone: removes what lies beside the log. */
  discard?(id: SessionId): Promise<void>
  /** Reads the files of workspaces. Absent: they are not given to anybody. */
  files?: WorkspaceFiles
  /** Asks agents of other makers for their models; `agent`: only that one. Absent: there are none. */
  agentModels?(query: { agent?: string; workspace: string }): Promise<AgentModels[]>
  /**
   * Throws what keeps an author from a prompt or an answer, now. Asked when a turn starts, before each call of its model and its tools,
   * and when rights changed. Absent: there are no peers.
   */
  assertMay?(author: Author, use: 'prompt' | 'answer', row: SessionRow): Promise<void>
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
  /** Default: LIMITS. */
  limits?: Partial<AccountLimits>
}

/** How an author is named to people: `user@node`, or the node. */
export const nameOf = ({ user, node }: Author): string => (user === undefined ? node : `${user}@${node}`)

/**
 * The peer that `author` is, or nothing for this node's own person. While the mesh is off this node does not know its peer id:
 * then whoever has no user is a peer, since only this node's person is written with one.
 */
export function guestOf(author: Author, node: { readonly peerId?: PeerId }): PeerId | undefined {
  const isOwn = node.peerId === undefined ? author.user !== undefined : author.peerId === node.peerId
  return isOwn ? undefined : author.peerId
}
