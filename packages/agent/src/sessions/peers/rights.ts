import { ACCESS, expandRights, roleIncludes } from '@qmtcode/protocol'
import type { PeerId, Role, SessionInfo, SessionNeed, Sessions } from '@qmtcode/protocol'
import type { SessionRow } from '../../log/types.ts'
import type { SharedSessions } from './share.ts'

export type Need = SessionNeed
type Method = Exclude<keyof Sessions, 'create' | 'list' | 'agentModels'> // those are not about one session

const { create: _create, list: _list, agentModels: _agentModels, ...ABOUT_ONE } = ACCESS.sessions

/** What `ACCESS` asks on one session. `reply` is an answer to a question of the model. A prompt of its own is withdrawn by whoever may prompt. */
export const NEEDS: Readonly<Record<Method | 'reply', Need>> = {
  ...(Object.fromEntries(Object.entries(ABOUT_ONE).map(([method, { right }]) => [method, right])) as {
    [Name in keyof typeof ABOUT_ONE]: (typeof ABOUT_ONE)[Name]['right']
  } satisfies Record<Method, Need>),
  reply: 'reply',
}

export interface Caller {
  peerId: PeerId
  role(): Role
  /** Whether it may call here at all, connected or not. Default: yes. */
  isAllowed?(): boolean
}

/**
 * What `caller` may do with a session, right now: as its creator, by what was given to it, and by its role. No role reads what
 * others began, but for an admin where the host gave that, from then on.
 * An observer has what was given to it, and of its own sessions no more than the sight.
 */
export function rightsOn(row: SessionRow, caller: Caller, share: Pick<SharedSessions, 'sessions' | 'observesSince'>): ReadonlySet<Need> {
  const role = caller.role()
  const isCreator = row.author.peerId === caller.peerId
  if (isCreator && roleIncludes(role, 'client')) return new Set<Need>(['row', ...expandRights(['control']), 'reply', 'owner'])
  const given = row.shares.find(({ peerId }) => peerId === caller.peerId)?.rights ?? []
  const rights = new Set<Need>(expandRights(isCreator || observesAll(row, caller, share) ? [...given, 'observe'] : given))
  if (rights.has('prompt') || rights.has('approve')) rights.add('reply')
  if (rights.size > 0 || (roleIncludes(role, 'member') && seesRow(row, share))) rights.add('row')
  return rights
}

/** Never what is private, nor what began before the right did: a fork bears what was written before it. */
function observesAll(
  row: Pick<SessionRow, 'private' | 'beganAt'>,
  { peerId, role }: Caller,
  { observesSince }: Pick<SharedSessions, 'observesSince'>,
): boolean {
  if (row.private || !roleIncludes(role(), 'admin')) return false
  const since = observesSince?.(peerId)
  return since !== undefined && row.beganAt >= since
}

/** Whether any member may know that this session exists. */
export function seesRow(row: Pick<SessionInfo, 'private' | 'shares'>, { sessions }: Pick<SharedSessions, 'sessions'>): boolean {
  if (row.private || sessions === 'none') return false
  return sessions === 'all' || (row.shares ?? []).length > 0
}
