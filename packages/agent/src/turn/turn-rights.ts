import type { Author } from '@qmtcode/protocol'
import { leastRights } from '../permissions/least-rights.ts'
import type { PermissionDecision, Permissions, PermissionSubject, SessionPermissions, SessionRights } from '../permissions/types.ts'
import type { OthersWords } from './others-words.ts'
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
  /** A person allowed what was decided to be asked. Returns why it may not be done yet, or nothing. */
  allowed(decision: PermissionDecision): Promise<string | undefined>
}

export interface TurnRightsOptions extends Omit<SessionRights, 'granted'> {
  /** In earlier turns. */
  granted: readonly Grant[]
  /** Real path of the workspace. */
  root: string
  others: Pick<OthersWords, 'found' | 'approve'>
}

export function createTurnRights(
  { turn, permissions }: { turn: Pick<TurnContext, 'assertAllowed' | 'mayAnswer'>; permissions: Permissions },
  { granted, others, ...session }: TurnRightsOptions,
): TurnRights {
  const grants = [...granted]
  return {
    now: async () => {
      await turn.assertAllowed()
      return leastRights(permissions, { ...session, granted: await standing(grants, turn) }, await others.found())
    },
    add: (grant) => grants.push(grant),
    allowed: async ({ unseen }) => {
      if (!unseen) return undefined
      await others.approve(unseen)
      const shown = new Set(unseen.map(({ id }) => id))
      const { isInContext, unseen: left } = await others.found()
      return isInContext || left.some(({ id }) => !shown.has(id)) ? MEANWHILE : undefined
    },
  }
}

const MEANWHILE = 'another node wrote more here while this was asked: call again'

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
