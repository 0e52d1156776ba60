import type { PeerId, Right, Role, SessionId } from '@qmtcode/protocol'
import type { MeshFlags } from '../node-handle.ts'

/** Options that hold for every command. */
export interface GlobalOptions {
  configPath?: string
  mesh: MeshFlags
  /** No chat, even on a terminal. */
  headless: boolean
  waitMs: number
}

/** What a chat is about; without a terminal none may be given. */
export interface StartOptions {
  agent?: string
  model?: string
  session?: SessionId
}

export interface RunOptions {
  /** Absent: it comes from stdin. */
  prompt?: string
  json: boolean
  agent?: string
  model?: string
  mode?: 'build' | 'plan'
  /** Whose session: a peer's name or id. Absent: this node's. */
  node?: string
  session?: SessionId
  /** Permission names. */
  allow: string[]
}

export interface AuditCommand {
  json: boolean
  /** A name, a peer id, or six characters or more of one. */
  peer?: string
  sinceMs?: number
  limit: number
  follow: boolean
  /** Also what nodes tell each other by themselves. */
  all: boolean
}

/** Where a session is. */
export interface SessionPlace {
  /** A peer's name or id. Absent: this node. */
  node?: string
  session?: SessionId
}

export interface AttachOptions extends SessionPlace {
  new: boolean
  agent?: string
  workspace?: string
  model?: string
  mode?: 'build' | 'plan'
  follow: boolean
  json: boolean
}

export interface AcpCommand {
  /** Whose sessions: a peer's name or id. Absent: this node's. */
  node?: string
  /** Of new sessions. */
  agent?: string
}

export type PeerChange =
  | { kind: 'admit'; peer: PeerId; role?: Role; name?: string }
  | { kind: 'role'; peer: PeerId; role: Role }
  /** `peer`: a name or a whole peer id. */
  | { kind: 'use'; peer: string; use: boolean }
  /** `mesh`: told to every member. */
  | { kind: 'ban'; peer: string; mesh: boolean }
  | { kind: 'unban'; peer: string }
  | { kind: 'forget'; peer: string }

export interface InviteOptions {
  /** What the peer that joins is called here. */
  name?: string
  role: Role
  ttlMs: number
  uses: number
  labels: string[]
  qr: boolean
  json: boolean
  yes: boolean
}

export interface JoinCommand {
  /** `-`, or nothing: it comes from stdin, where a person pastes it at a terminal. */
  invite?: string
  /** A file that holds it. */
  file?: string
  /** What to call the inviter here. */
  name?: string
  use: boolean
  json: boolean
  yes: boolean
}

export interface TrustCommand {
  /** Default: where the command runs. */
  directory?: string
  json: boolean
  yes: boolean
}

export type BoardCommand =
  | { action: 'list'; json: boolean; limit: number; match?: string; by?: string; watch: boolean }
  /** No text: it comes from stdin. */
  | { action: 'add'; text?: string; json: boolean }
  | { action: 'edit'; id: string; text?: string; json: boolean }
  | { action: 'remove'; id: string; json: boolean }

/** What a command line asks for, parsed and checked. */
export type Invocation =
  | { command: 'print'; text: string }
  | { command: 'not-built'; what: string }
  | { command: 'start'; options: StartOptions }
  | ({ command: 'run' } & RunOptions)
  | ({ command: 'attach' } & AttachOptions)
  | ({ command: 'acp' } & AcpCommand)
  | ({ command: 'board' } & BoardCommand)
  | ({ command: 'audit' } & AuditCommand)
  | ({ command: 'trust' } & TrustCommand)
  | { command: 'nodes' | 'models' | 'agents' | 'routes' | 'peers' | 'identity' | 'config check'; json: boolean }
  | { command: 'doctor'; target?: string; json: boolean }
  | { command: 'config schema' }
  | { command: 'sessions'; json: boolean; limit: number; watch?: boolean }
  | { command: 'sessions show' | 'sessions delete' | 'sessions resume'; node?: string; id: SessionId; json: boolean }
  | { command: 'sessions fork'; node?: string; id: SessionId; at?: string; title?: string; json: boolean }
  /** No rights: those it has are taken. */
  | { command: 'sessions share'; node?: string; id: SessionId; peer: string; rights: Right[]; json: boolean }
  | { command: 'peers change'; change: PeerChange; json: boolean; yes: boolean }
  | { command: 'identity rotate'; json: boolean; yes: boolean }
  | ({ command: 'invite' } & InviteOptions)
  | { command: 'invites'; json: boolean }
  | { command: 'invites revoke'; id: string; json: boolean; yes: boolean }
  | ({ command: 'join' } & JoinCommand)

export interface Parsed {
  globals: GlobalOptions
  invocation: Invocation
}
