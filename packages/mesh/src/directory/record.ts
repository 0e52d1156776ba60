import { publicKeyFromMultihash } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import {
  AppError,
  LIMITS,
  exceedsDepth,
  fromBase64,
  modelOfferSchema,
  nodeNameSchema,
  peerIdSchema,
  toBase64,
  statedName,
  statedLine,
  statedCounter,
  statedCount,
  statedAddress,
} from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { z } from 'zod'
import type { SignedRecord } from './contract.ts'

const agentSchema = z.object({
  id: statedName(100).min(1),
  name: statedName(200),
  description: statedLine(1_000),
  capabilities: z.array(statedName(60)).max(50),
})

export const nodeRecordSchema = z.object({
  peerId: peerIdSchema,
  /** Grows with each record of a node, also across its restarts. */
  version: statedCounter(),
  name: nodeNameSchema,
  /** Of qmtcode. */
  software: statedName(40),
  models: z.array(modelOfferSchema).max(1_000),
  agents: z.array(agentSchema).max(200),
  labels: z.array(statedName(60)).max(50),
  sessions: statedCount(),
  addresses: z.array(statedAddress().max(300)).max(32),
})
export interface NodeRecord extends z.infer<typeof nodeRecordSchema> {}

const DOMAIN = 'qmt-directory-record-1\n' // so that a signature for something else is none for a record

/** Throws too_large. */
export async function signRecord(record: NodeRecord, key: Ed25519PrivateKey): Promise<SignedRecord> {
  const payload = JSON.stringify(record)
  if (Buffer.byteLength(payload) > LIMITS.recordBytes) {
    throw new AppError('too_large', `what this node tells of itself has ${payload.length} bytes, more than ${LIMITS.recordBytes}`)
  }
  const signature = await key.sign(signedBytes(payload))
  return { type: 'record', payload, signature: toBase64(signature) }
}

/** The record, if `peerId` itself made it. Throws bad_request for anything else. */
export async function openRecord(signed: SignedRecord, peerId: PeerId): Promise<NodeRecord> {
  const isSigned = await verify(signed, peerId).catch(() => false)
  if (!isSigned) throw new AppError('bad_request', `a directory record that is not signed by ${peerId}`)
  return parseRecord(signed.payload, peerId)
}

/** What a payload whose signature holds says. Throws bad_request. */
export function parseRecord(payload: string, peerId: PeerId): NodeRecord {
  const parsed = nodeRecordSchema.safeParse(parseJson(payload))
  if (!parsed.success) throw new AppError('bad_request', `a malformed directory record of ${peerId}`, { cause: parsed.error })
  if (parsed.data.peerId !== peerId) throw new AppError('bad_request', `${peerId} signed a directory record of ${parsed.data.peerId}`)
  return parsed.data
}

async function verify(signed: SignedRecord, peerId: PeerId): Promise<boolean> {
  const id = peerIdFromString(peerId)
  if (id.type !== 'Ed25519') return false
  return await publicKeyFromMultihash(id.toMultihash()).verify(signedBytes(signed.payload), fromBase64(signed.signature))
}

function parseJson(payload: string): unknown {
  try {
    const json: unknown = JSON.parse(payload)
    return exceedsDepth(json, 8) ? undefined : json
  } catch {
    return undefined
  }
}

const signedBytes = (payload: string): Uint8Array => new TextEncoder().encode(DOMAIN + payload)
