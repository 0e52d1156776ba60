import type { Author } from '@qmtcode/protocol'
import { leastRights } from '../permissions/least-rights.ts'
import type { Permissions, PermissionSubject, SessionPermissions, SessionRights } from '../permissions/types.ts'
import type { TurnContext } from './types.ts'

/** What was allowed for the session, and by whom. */
export interface Grant {
  subject: PermissionSubject
  by?: Author
}

/** What a turn may do, judged at each use: nothing that was true of an earlier call is kept. */
export interface TurnRights {
  /** For one call of a tool. Throws when the turn may not go on. */
  now(): Promise<SessionPermissions>
  add(grant: Grant): void
}

export interface TurnRightsOptions extends Omit<SessionRights, 'granted'> {
  /** In earlier turns. */
  granted: readonly Grant[]
  /** Words of another node are in what the model reads. */
  hasGuestWords(): boolean
}

export function createTurnRights(
  { turn, permissions }: { turn: Pick<TurnContext, 'assertAllowed' | 'mayAnswer'>; permissions: Permissions },
  { granted, hasGuestWords, ...session }: TurnRightsOptions,
): TurnRights {
  const grants = [...granted]
  return {
    now: async () => {
      await turn.assertAllowed()
      return leastRights(permissions, { ...session, granted: await standing(grants, turn) }, hasGuestWords)
    },
    add: (grant) => grants.push(grant),
  }
}

/** An answer counts as long as whoever gave it may still answer. */
async function standing(grants: readonly Grant[], { mayAnswer }: Pick<TurnContext, 'mayAnswer'>): Promise<PermissionSubject[]> {
  const asked = new Map<string | undefined, Promise<boolean>>()
  const kept = await Promise.all(
    grants.map(async ({ by }) => {
      if (!by) return true
      const answer = asked.get(by.peerId) ?? mayAnswer(by)
      asked.set(by.peerId, answer)
      return await answer
    }),
  )
  return grants.filter((_, at) => kept[at]).map(({ subject }) => subject)
}
