import { expandRights, roleIncludes } from '@qmtcode/protocol'
import type { PeerId, Right, Role, SessionInfo, Sessions } from '@qmtcode/protocol'
import type { SessionRow } from '../../log/types.ts'
import type { SharedSessions } from './share.ts'

/** `owner`: its creator. `row`: who may see that it exists. `reply`: who may prompt or approve. */
export type Need = Right | 'owner' | 'row' | 'reply'

/**
 * The one table of who may do what. `create` and `list` are not about one session.
 * `answer` is to a permission request, `reply` to a question of the model. A prompt of its own is withdrawn by whoever may prompt.
 */
export const NEEDS = {
  get: 'row',
  history: 'observe',
  follow: 'observe',
  presence: 'observe',
  fork: 'observe',
  listFiles: 'prompt',
  readFile: 'prompt',
  prompt: 'prompt',
  answer: 'approve',
  reply: 'reply',
  cancel: 'control',
  resume: 'control',
  configure: 'control',
  close: 'control',
  share: 'owner',
  unshare: 'owner',
  delete: 'owner',
} as const satisfies Record<Exclude<keyof Sessions, 'create' | 'list'> | 'reply', Need>

export interface Caller {
  peerId: PeerId
  role(): Role
}

/** What `caller` may do with a session, right now: as its creator, by what was given to it, and by its role. */
export function rightsOn(row: SessionRow, caller: Caller, share: Pick<SharedSessions, 'sessions'>): ReadonlySet<Need> {
  if (row.author.peerId === caller.peerId) return new Set<Need>(['row', ...expandRights(['control']), 'reply', 'owner'])
  const given = row.shares.find(({ peerId }) => peerId === caller.peerId)?.rights ?? []
  const role = caller.role()
  const rights = new Set<Need>(expandRights(roleIncludes(role, 'admin') ? [...given, 'observe'] : given))
  if (rights.has('prompt') || rights.has('approve')) rights.add('reply')
  if (rights.size > 0 || (roleIncludes(role, 'member') && seesRow(row, share))) rights.add('row')
  return rights
}

/** Whether any member may know that this session exists. */
export function seesRow(row: Pick<SessionInfo, 'private' | 'shares'>, { sessions }: Pick<SharedSessions, 'sessions'>): boolean {
  if (row.private || sessions === 'none') return false
  return sessions === 'all' || (row.shares ?? []).length > 0
}
