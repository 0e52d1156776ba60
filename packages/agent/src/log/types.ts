import type { Author, DurableEvent, DurableEventInit, PeerId, PromptId, PromptReceipt, SessionId, SessionShare } from '@qmtcode/protocol'

/**
 * The durable events of all sessions of one node, in one SQLite file.
 * The log gives each event its seq; a resolved write is on disk, a rejected one has left nothing behind.
 */
export interface EventLog {
  /**
   * Opens the file, or creates it. Throws bad_config for one that cannot be used: corrupt, read-only, newer, not ours.
   * The file itself is never deleted or replaced.
   */
  start(): Promise<void>
  /** Resolves when all that was asked for is on disk and the file is closed. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  create(session: NewSession, created: EventOf<'session.created'>, charge?: Charge): Promise<DurableEvent>
  /**
   * A new session with the events of `source` up to `at` under their seqs, but for the first, which is `created`; then `closing`.
   * Prompts are copied as what happened: none waits. Rights that were given are not copied. Throws not_found.
   */
  fork(source: SessionId, copy: ForkCopy, charge?: Charge): Promise<void>
  /** What is open after event `at`: the start of a turn without an end, and prompts that wait. */
  openAt(id: SessionId, at: number): Promise<OpenWork>
  /** All of `events`, next to each other, or none. Throws not_found for a session that is not there. */
  append(id: SessionId, events: readonly DurableEventInit[], charge?: Charge): Promise<DurableEvent[]>
  /** The session and its events. Returns what peers held in it. */
  remove(id: SessionId): Promise<PeerBytes[]>
  /** What each peer holds in all sessions. */
  charges(): Promise<PeerBytes[]>
  session(id: SessionId): Promise<SessionRow | undefined>
  /** The newest first, before the place where the last page ended. */
  list(page: { before?: number; limit: number }): Promise<{ rows: SessionRow[]; next?: number }>
  /** A page of what follows seq `after`, in order: at most `limit` events, and about a megabyte, but at least one if there is one. */
  read(id: SessionId, range: { after: number; limit: number }): Promise<DurableEvent[]>
  /** A page of what precedes seq `before`, in ascending order; `more` tells whether older ones exist. */
  readBack(id: SessionId, range: { before: number; limit: number }): Promise<{ events: DurableEvent[]; more: boolean }>
  receipt(id: SessionId, promptId: PromptId): Promise<PromptReceipt | undefined>
  /** The event that accepted a prompt. */
  prompt(id: SessionId, promptId: PromptId): Promise<EventOf<'prompt.accepted'> | undefined>
  /** Prompts that have neither been started nor withdrawn, the oldest first. */
  queued(id: SessionId): Promise<QueuedPrompt[]>
  /** How a permission request or a question was answered. */
  answer(id: SessionId, requestId: string): Promise<EventOf<'permission.answered' | 'question.answered'> | undefined>
  unfinished(): Promise<UnfinishedWork>
}

/** Who pays for what is written. */
export interface Charge {
  /** Undefined: this node's own person, who has no account. */
  payer?: PeerId
  /** Asked before anything is written. What it throws refuses the write. */
  admit?(bytes: number): void
}

export interface PeerBytes {
  peerId: PeerId
  bytes: number
}

export type EventOf<Type extends DurableEvent['type']> = Extract<DurableEventInit, { type: Type }>

export interface QueuedPrompt {
  promptId: PromptId
  author: Author
  /** What held when it was accepted: what is chosen later is for later prompts. Absent after a restart: what holds when it runs. */
  settings?: { model?: string; mode: 'build' | 'plan' }
}

export interface ForkCopy {
  at: number
  session: NewSession
  created: EventOf<'session.created'>
  closing: readonly DurableEventInit[]
}

interface OpenWork {
  /** Seq of the `turn.started`. */
  turn?: number
  waiting: PromptId[]
}

/** What a crash, or a stop, left behind. */
interface UnfinishedWork {
  /** Turns without an end, by the seq of their start. */
  turns: { id: SessionId; seq: number }[]
  /** Other sessions with prompts that wait and may run. */
  queues: SessionId[]
}

export interface NewSession {
  id: SessionId
  private: boolean
  /** What would be asked is denied. */
  unattended: boolean
  mode: 'build' | 'plan'
  allow: readonly string[]
}

/** A session as the log knows it: settings, and what follows from its events, written in their transaction. */
export interface SessionRow extends NewSession {
  /** From `session.created`, a change, or the first prompt. */
  title: string
  agent: string
  model?: string
  workspace: string
  author: Author
  shares: SessionShare[]
  createdAt: number
  /** Of a fork: when the session began whose events it holds. */
  beganAt: number
  updatedAt: number
  /** Head of its log. */
  seq: number
  /** Of all its events. */
  bytes: number
  state: 'idle' | 'running' | 'waiting' | 'interrupted' | 'closed'
  /** The prompt whose turn was interrupted, until it is resumed, given up, or followed by another. */
  interrupted?: PromptId
}

/** What crosses to the thread: an event as text, and what it changes in the tables. */
export interface StoredEvent {
  type: string
  at: number
  /** JSON of the rest. */
  body: string
  /** What it takes of the file, about. */
  bytes: number
  effect?: Effect
}

export type Effect =
  | { kind: 'accepted'; promptId: string; position: number; title: string }
  | { kind: 'withdrawn'; promptId: string }
  | { kind: 'started'; promptId: string }
  | { kind: 'ended'; promptId: string; interrupted: boolean }
  | { kind: 'waiting'; change: 1 | -1 }
  | { kind: 'configured'; title?: string; model?: string; mode?: string }
  | { kind: 'shared'; share: SessionShare }
  | { kind: 'unshared'; peerId: string }
  | { kind: 'closed' }

/** `[seq, at, type, body]`. */
export type EventRecord = [seq: number, at: number, type: string, body: string]

/** A session as it begins. */
export type NewRow = Omit<SessionRow, 'beganAt' | 'updatedAt' | 'seq' | 'bytes' | 'state' | 'interrupted' | 'shares'>

/** What the thread can do. `create`, `fork`, `append` and `remove` are gathered into one transaction. */
export interface StoreMethods {
  create(row: NewRow, event: StoredEvent, payer?: PeerId): number
  fork(source: string, copy: { at: number; row: NewRow; created: StoredEvent; closing: readonly StoredEvent[]; payer?: PeerId }): void
  openAt(id: string, at: number): OpenWork
  /** Returns the seq of the first. */
  append(id: string, events: readonly StoredEvent[], payer?: PeerId): number
  remove(id: string): PeerBytes[]
  charges(): PeerBytes[]
  session(id: string): SessionRow | undefined
  list(page: { before?: number; limit: number }): { rows: SessionRow[]; next?: number }
  read(id: string, range: { after: number; limit: number }): EventRecord[]
  readBack(id: string, range: { before: number; limit: number }): { records: EventRecord[]; more: boolean }
  receipt(id: string, promptId: string): PromptReceipt | undefined
  prompt(id: string, promptId: string): EventRecord | undefined
  queued(id: string): QueuedPrompt[]
  answer(id: string, requestId: string): EventRecord | undefined
  unfinished(): UnfinishedWork
}
export type StoreMethod = keyof StoreMethods

export interface EventLogOptions {
  /** The SQLite file; its directory is made if it is missing. */
  file: string
  /** How long to wait for another process that holds the file. Default: 5 s. */
  busyTimeoutMs?: number
  /** The file grows no further: writes beyond fail as on a full disk. Default: no bound. */
  maxBytes?: number
}
