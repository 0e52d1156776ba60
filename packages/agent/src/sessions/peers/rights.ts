import type { Role, Sessions } from '@qmtcode/protocol'
import { roleIncludes } from '@qmtcode/protocol'
import type { SessionRow } from '../../log/types.ts'
import type { SessionShare } from './share.ts'

/** What a node may do with one session of another: `approve` answers questions that are not reserved; `control` includes all others. */
export type Right = 'observe' | 'prompt' | 'approve' | 'control'

/** `owner`: its creator. `row`: who may see that it exists. */
export type Need = Right | 'owner' | 'row'

/** The one table of who may do what. `create` and `list` are not about one session. Prompts of their own are cancelled by all who may prompt. */
export const NEEDS = {
  get: 'row',
  history: 'observe',
  follow: 'observe',
  prompt: 'prompt',
  answer: 'approve',
  cancel: 'control',
  resume: 'control',
  configure: 'control',
  close: 'control',
  delete: 'owner',
} as const satisfies Record<Exclude<keyof Sessions, 'create' | 'list'>, Need>

const ALL: readonly Need[] = ['row', 'observe', 'prompt', 'approve', 'control']

export interface Caller {
  peerId: string
  role(): Role
}

/** All that `caller` may do with a session, right now. Nobody but its creator has a right until given one; an admin observes. */
export function rightsOn(row: SessionRow, caller: Caller, share: Pick<SessionShare, 'sessions'>): ReadonlySet<Need> {
  if (row.author.peerId === caller.peerId) return new Set<Need>([...ALL, 'owner'])
  const role = caller.role()
  if (roleIncludes(role, 'admin')) return new Set<Need>(['row', 'observe'])
  return new Set<Need>(roleIncludes(role, 'member') && share.sessions === 'all' && !row.private ? ['row'] : [])
}
