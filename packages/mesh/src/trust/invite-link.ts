import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, INVITE_PREFIX, inviteIn, isWholeInvite, peerIdSchema, roleSchema, statedDate } from '@qmtcode/protocol'
import type { PeerId, Role } from '@qmtcode/protocol'
import { z } from 'zod'
import { readToken, requireSigned, signToken } from './signed.ts'

/** What an invite's URL says. */
export interface InviteLink {
  id: string
  /** base64url of 16 random bytes. Never sent: its bearer proves to hold it. */
  secret: string
  inviter: PeerId
  /** The mesh that it leads into. */
  root: PeerId
  role: Role
  expiresAt: number
  /** Dialable, without `/p2p`; at most six. */
  addresses: string[]
}

export const MAX_INVITE_ADDRESSES = 6
export const inviteIdSchema = z.string().regex(/^inv_[0-9a-z]{16}$/)

/** A list, not an object: the URL is to be short enough for a QR code. */
const linkSchema = z.tuple([
  z.literal(1),
  inviteIdSchema,
  z.string().regex(/^[\w-]{22}$/),
  peerIdSchema,
  peerIdSchema.nullable(), // null: the inviter is the root
  roleSchema,
  statedDate(),
  z.array(z.string().min(1).max(200)).max(MAX_INVITE_ADDRESSES),
])

export async function writeInviteLink(link: InviteLink, key: Ed25519PrivateKey): Promise<string> {
  const { id, secret, inviter, root, role, expiresAt, addresses } = link
  const fields: z.input<typeof linkSchema> = [1, id, secret, inviter, root === inviter ? null : root, role, expiresAt, addresses]
  return INVITE_PREFIX + (await signToken('invite', fields, key))
}

/**
 * What the invite in `text` says, which may be in pieces. Throws bad_request where there is none, where it is cut off, and where its
 * inviter did not sign it as it is. The URL is in no message.
 */
export async function openInviteLink(text: string): Promise<InviteLink> {
  const found = inviteIn(text)
  if (!found) throw new AppError('bad_request', `this is no invite: one begins with ${INVITE_PREFIX}`)
  const token = found.url.slice(INVITE_PREFIX.length)
  if (!isWholeInvite(found.url))
    throw new AppError('bad_request', 'the invite is cut off, or it was altered', { hint: 'copy all of it, as qmtcode invite printed it' })
  const [, id, secret, inviter, root, role, expiresAt, addresses] = readToken(token, linkSchema, 'invite')
  await requireSigned('invite', token, inviter)
  return { id, secret, inviter, root: root ?? inviter, role, expiresAt, addresses }
}

/** Shows to `inviter` that `joiner` holds the secret; of no use on another connection. */
export function proofOf({ id, secret, inviter }: Pick<InviteLink, 'id' | 'secret' | 'inviter'>, joiner: PeerId): string {
  return createHmac('sha256', Buffer.from(secret, 'base64url')).update(`qmt-join-1\n${id}\n${inviter}\n${joiner}`).digest('base64url')
}

export function isProof(proof: string, expected: string): boolean {
  const [given, wanted] = [Buffer.from(proof), Buffer.from(expected)]
  return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted)
}
