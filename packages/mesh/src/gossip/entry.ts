import { publicKeyFromMultihash } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { AppError, LIMITS, fromBase64, peerIdSchema, toBase64, statedCounter } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { z } from 'zod'
import type { GossipEntry } from './types.ts'

const KEY_CHARS = 200

export const setNameSchema = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/)
export const keySchema = z
  .string()
  .max(KEY_CHARS)
  .regex(/^[\w./-]+$/)
export const versionSchema = statedCounter()

/** An entry as it arrives: of the right form, and nothing more. */
export const entrySchema = z.object({
  key: keySchema,
  author: peerIdSchema,
  version: versionSchema,
  /** Wider than an entry may be, so that one too large is counted as that, and does not end the call. */
  payload: z.string().max(4 * LIMITS.gossipEntryBytes),
  signature: z.string().max(200),
})

export type EntryContent = Pick<GossipEntry, 'key' | 'version' | 'payload'>

/** Throws too_large. */
export async function signEntry(
  set: string,
  content: EntryContent,
  signer: { key: Ed25519PrivateKey; self: PeerId },
): Promise<GossipEntry> {
  if (isTooLarge(content)) {
    throw new AppError('too_large', `an entry of ${set} is larger than ${LIMITS.gossipEntryBytes} bytes, or its key than ${KEY_CHARS}`)
  }
  const signature = await signer.key.sign(signedBytes(set, content))
  return { ...content, author: signer.self, signature: toBase64(signature) }
}

export const isTooLarge = ({ key, payload }: Pick<GossipEntry, 'key' | 'payload'>): boolean =>
  key.length > KEY_CHARS || payload.length > LIMITS.gossipEntryBytes || Buffer.byteLength(payload) > LIMITS.gossipEntryBytes

/** Whether `author` said it. */
export async function isSigned(set: string, entry: GossipEntry): Promise<boolean> {
  try {
    const id = peerIdFromString(entry.author)
    if (id.type !== 'Ed25519') return false
    return await publicKeyFromMultihash(id.toMultihash()).verify(signedBytes(set, entry), fromBase64(entry.signature))
  } catch {
    return false
  }
}

/** No part but the last holds a line end, so two entries never have the same bytes. */
const signedBytes = (set: string, { key, version, payload }: EntryContent): Uint8Array =>
  new TextEncoder().encode(`qmt-gossip-1\n${set}\n${key}\n${version}\n${payload}`)
