import { randomBytes } from 'node:crypto'
import { AppError, newId, nodeNameSchema, peerIdSchema, roleSchema } from '@qmtcode/protocol'
import type { Clock, InviteInfo, PeerId, Role } from '@qmtcode/protocol'
import { z } from 'zod'
import { inviteIdSchema, isProof, proofOf } from './invite-link.ts'

export const storedInviteSchema = z.object({
  id: inviteIdSchema,
  secret: z.string(),
  name: nodeNameSchema.optional(),
  role: roleSchema,
  labels: z.array(z.string()),
  root: peerIdSchema,
  uses: z.int(),
  /** In the order in which they joined. */
  joined: z.array(peerIdSchema),
  createdAt: z.number(),
  expiresAt: z.number(),
  revoked: z.boolean().optional(),
})
export interface StoredInvite extends z.infer<typeof storedInviteSchema> {}

/** The invites of this node: the one counter of each. Changes are synchronous; its owner saves them. */
export interface InviteBook {
  add(init: { name?: string; role: Role; labels: string[]; root: PeerId; uses: number; ttlMs: number }): StoredInvite
  list(): InviteInfo[]
  /** Throws not_found. */
  revoke(id: string): InviteInfo
  /**
   * Takes one use for `joiner`; none for one that joined by it before, whose grant may have been lost on the way.
   * Throws not_found, bad_request (no proof of the secret), forbidden (expired, revoked), conflict (used up).
   */
  redeem(id: string, proof: string, joiner: PeerId): StoredInvite
}

const MAX_INVITES = 200
const KEPT_AFTER_END_MS = 86_400_000

export function createInviteBook(components: { clock: Clock; invites: StoredInvite[] }, { self }: { self: PeerId }): InviteBook {
  const { clock, invites } = components

  const stateOf = (invite: StoredInvite): InviteInfo['state'] => {
    if (invite.revoked) return 'revoked'
    if (clock.now() >= invite.expiresAt) return 'expired'
    return invite.joined.length >= invite.uses ? 'used' : 'open'
  }
  const describe = (invite: StoredInvite): InviteInfo => {
    const { secret: _, revoked: __, ...told } = invite
    return {
      ...told,
      joined: [...told.joined],
      labels: [...told.labels],
      usesLeft: invite.uses - invite.joined.length,
      state: stateOf(invite),
    }
  }
  function prune(): void {
    const kept = invites.filter((invite) => clock.now() < invite.expiresAt + KEPT_AFTER_END_MS)
    invites.splice(0, invites.length, ...kept)
  }

  return {
    add({ ttlMs, ...init }) {
      prune()
      if (invites.length >= MAX_INVITES) {
        throw new AppError('conflict', `this node has ${MAX_INVITES} invites already`, {
          hint: 'they end with their time; qmtcode invites',
        })
      }
      const now = clock.now()
      const secret = randomBytes(16).toString('base64url')
      const invite: StoredInvite = { id: newId('inv'), secret, ...init, joined: [], createdAt: now, expiresAt: now + ttlMs }
      invites.push(invite)
      return invite
    },
    list() {
      prune()
      return invites.map(describe).toReversed()
    },
    revoke(id) {
      const invite = invites.find((known) => known.id === id)
      if (!invite) throw new AppError('not_found', `there is no invite ${id}`, { hint: 'qmtcode invites lists them' })
      invite.revoked = true
      return describe(invite)
    },
    redeem(id, proof, joiner) {
      const invite = invites.find((known) => known.id === id)
      if (!invite) throw new AppError('not_found', 'the invite is not known here: it ended, or another node made it')
      if (!isProof(proof, proofOf({ id, secret: invite.secret, inviter: self }, joiner))) {
        throw new AppError('bad_request', 'the invite is not the one that was given out: its secret is another')
      }
      const state = stateOf(invite)
      if (state === 'revoked') throw new AppError('forbidden', 'the invite was revoked')
      if (state === 'expired') throw new AppError('forbidden', 'the invite has expired')
      if (invite.joined.includes(joiner)) return invite
      if (state === 'used') throw new AppError('conflict', 'the invite is used up')
      invite.joined.push(joiner)
      return invite
    },
  }
}
