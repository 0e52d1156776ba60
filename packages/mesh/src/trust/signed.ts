import { publicKeyFromMultihash } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { AppError, exceedsDepth } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import type { z } from 'zod'

/** `base64url(JSON).base64url(signature)`: a statement of a node, in one word. */
export type Token = string

/** What a signature is for: one made for another purpose is none. */
export type Purpose = 'grant' | 'ban' | 'rotation' | 'invite'

const MAX_TOKEN_CHARS = 2_048

export async function signToken(purpose: Purpose, statement: object, key: Ed25519PrivateKey): Promise<Token> {
  const payload = Buffer.from(JSON.stringify(statement)).toString('base64url')
  return `${payload}.${Buffer.from(await key.sign(signedBytes(purpose, payload))).toString('base64url')}`
}

/** What a token says, its signature not looked at. Throws bad_request for what is not of `schema`. */
export function readToken<Statement>(token: Token, schema: z.ZodType<Statement>, what: string): Statement {
  if (token.length <= MAX_TOKEN_CHARS) {
    const parsed = schema.safeParse(parseJson(token.split('.', 1)[0] ?? ''))
    if (parsed.success) return parsed.data
  }
  throw new AppError('bad_request', `this is no ${what}, or it was altered`)
}

/** Throws bad_request where `signer` did not sign exactly this. */
export async function requireSigned(purpose: Purpose, token: Token, signer: PeerId): Promise<void> {
  const [payload = '', signature = '', more] = token.split('.')
  const isSigned = more === undefined && (await verify(signedBytes(purpose, payload), signature, signer).catch(() => false))
  if (!isSigned) throw new AppError('bad_request', `this ${purpose} is not signed by ${signer}, or it was altered`)
}

async function verify(bytes: Uint8Array, signature: string, signer: PeerId): Promise<boolean> {
  const id = peerIdFromString(signer)
  if (id.type !== 'Ed25519') return false
  return await publicKeyFromMultihash(id.toMultihash()).verify(bytes, Buffer.from(signature, 'base64url'))
}

function parseJson(payload: string): unknown {
  try {
    const json: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    return exceedsDepth(json, 3) ? undefined : json
  } catch {
    return undefined
  }
}

const signedBytes = (purpose: Purpose, payload: string): Uint8Array => new TextEncoder().encode(`qmt-${purpose}-1\n${payload}`)
