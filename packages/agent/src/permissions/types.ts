import type { UnseenFile } from '../guest-files/types.ts'
import type { Confinement } from '../sandbox/types.ts'
import type { ToolPermission, ToolTarget } from '../tools/types.ts'
import type { ResolvedPath } from '../tools/workspace.ts'
import type { PermissionAction, PermissionName } from './names.ts'

/** `[[permissions.rule]]`; the last that matches decides. */
export interface PermissionRule {
  /** A tool's name, a permission's name, or `*`. */
  tool: string
  /** Glob on the path (relative to the workspace, or absolute) or on the command. Absent: every call. */
  match?: string
  action: PermissionAction
}

/** `[permissions]`. Defaults: read is allowed, all else asked. */
export interface PermissionOptions extends Partial<Record<PermissionName, PermissionAction>> {
  rules?: readonly PermissionRule[]
  /** What `~` means in rules. */
  home?: string
}

/** A call that somebody must decide on. */
export interface PermissionSubject {
  tool: string
  permission: ToolPermission
  /** Of a tool that works on a path. */
  path?: ResolvedPath
  command?: ToolTarget['command']
  /** The result shows what is in the file: it needs `read` as well. */
  alsoReads?: boolean
  /** What it does is not all in `command`: an answer is for this once. */
  isMore?: boolean
}

export interface PermissionDecision {
  action: PermissionAction
  /** Why, for the model or the person who is asked. */
  reason: string
  /** What the person would have to allow, as in `--allow`. */
  needs: PermissionName[]
  /** Asked on behalf of a peer, and not the peer's to allow. */
  reserved?: boolean
  /** A rule allows the command as these words, program first: it runs without a shell. */
  words?: readonly string[]
  /** It is asked only because of these files: who allows it takes them for theirs. */
  unseen?: readonly UnseenFile[]
}

/** What is known of a session. */
export interface SessionRights {
  /** Words of `--allow`. */
  allow: readonly string[]
  granted: readonly PermissionSubject[]
  forGuest?: boolean
  /** What holds its commands. Default: nothing, and why is not known. */
  confinement?: Confinement
  /** Commands of guests that a sandbox holds run unasked, unless `[permissions]` denies them or a rule asks. */
  freeInSandbox?: boolean
}

export interface Permissions {
  /**
   * The rules as they stand for one session: its `allow` list, and what was answered with `allow_session`.
   * Where nothing holds commands, each is asked: no answer is for the session.
   * `forGuest`: on behalf of a peer. What allows more than the defaults is for this node's person, and counts as if it were not written.
   */
  forSession(session: SessionRights): SessionPermissions
}

export interface SessionPermissions {
  decide(subject: PermissionSubject): PermissionDecision
  /** Whether a file met on the way (in a search) is kept back: private, or named by a rule that does not allow it. */
  hides(subject: PermissionSubject): boolean
  /** Whether some rule keeps files from being read, so that reading a whole directory is not for every program. */
  keepsBack(): boolean
}
