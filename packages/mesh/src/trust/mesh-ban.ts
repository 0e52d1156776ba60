import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, peerIdSchema, statedDate } from '@qmtcode/protocol'
import { z } from 'zod'
import { chainSchema, openChain } from './grant.ts'
import type { Chain, Grants } from './grant.ts'
import { readToken, requireSigned, signToken } from './signed.ts'

const statementSchema = z.object({
  v: z.literal(1),
  root: peerIdSchema,
  /** Who is banned. */
  peer: peerIdSchema,
  by: peerIdSchema,
  /** Milliseconds since 1970. */
  at: statedDate(),
  /** Takes the signer's earlier ban back; of the root: everybody's. */
  lifted: z.literal(true).optional(),
})
export interface BanStatement extends z.infer<typeof statementSchema> {}

/** A ban as it travels: the statement, and the banned one's chain, which shows that its signer stands above it. None: the root signed. */
export const meshBanSchema = z.object({ token: z.string().max(1_200), chain: chainSchema.or(z.tuple([])) })
export interface MeshBan extends z.infer<typeof meshBanSchema> {}

export async function signBan(ban: Omit<BanStatement, 'v'>, chain: Chain, key: Ed25519PrivateKey): Promise<MeshBan> {
  const token = await signToken('ban', { v: 1, ...ban }, key)
  return { token, chain: ban.by === ban.root ? [] : [...chain] }
}

export const readBan = ({ token }: MeshBan): BanStatement => readToken(token, statementSchema, 'ban')

export interface OpenedBan extends BanStatement {
  /** The chain down to the signer, as the ban brings it. Absent: the root signed. */
  above?: Grants
}

/** Verifies who signed, not whether that counts. Throws bad_request for what is altered, forbidden where the signer is neither the root nor an ancestor of the banned one. */
export async function openBan(ban: MeshBan): Promise<OpenedBan> {
  const statement = readBan(ban)
  await requireSigned('ban', ban.token, statement.by)
  if (statement.peer === statement.root) throw new AppError('forbidden', 'nobody bans the root of a mesh')
  return statement.by === statement.root ? statement : { ...statement, above: await chainTo(statement, ban.chain) }
}

async function chainTo({ root, peer, by }: BanStatement, chain: Chain): Promise<Grants> {
  const [first, ...rest] = await openChain(chain)
  const isItsChain = first.root === root && (rest.at(-1) ?? first).to === peer
  const at = [first, ...rest].findIndex(({ to }) => to === by)
  if (isItsChain && at >= 0 && at < rest.length) return [first, ...rest.slice(0, at)]
  throw new AppError('forbidden', `a ban of ${peer} by ${by}, which is no ancestor of its grant`)
}
