import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, peerIdSchema, statedDate } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { z } from 'zod'
import { readToken, requireSigned, signToken } from './signed.ts'
import type { Token } from './signed.ts'

const statementSchema = z.object({
  v: z.literal(1),
  before: peerIdSchema,
  after: peerIdSchema,
  /** Milliseconds since 1970. */
  at: statedDate(),
})
export interface Rotation extends z.infer<typeof statementSchema> {}

const SHOWN_MS = 30 * 86_400_000
const MAX_SHOWN = 3
const SKEW_MS = 5 * 60_000

/** Says, in the name of the old key, that the new one stands for it. */
export const signRotation = async (rotation: Omit<Rotation, 'v'>, oldKey: Ed25519PrivateKey): Promise<Token> =>
  await signToken('rotation', { v: 1, ...rotation }, oldKey)

/** The steps by which a peer came to its id, the first one first. Throws bad_request for what is altered, out of order, or another's. */
export async function openRotations(tokens: readonly Token[], bearer: PeerId, now: number): Promise<Rotation[]> {
  const steps = tokens.map((token) => readToken(token, statementSchema, 'rotation'))
  for (const [at, step] of steps.entries()) {
    const next = steps[at + 1]?.before ?? bearer
    if (step.after !== next) throw new AppError('bad_request', 'a rotation to the id of another peer')
    await requireSigned('rotation', tokens[at] ?? '', step.before)
  }
  return steps.filter(({ at }) => at <= now + SKEW_MS && now - at < SHOWN_MS + SKEW_MS)
}

/** Those that led to `self` and are shown still. None where the last one did not come to be: a crash left the old key. */
export function shownRotations(tokens: readonly Token[], self: PeerId, now: number): Token[] {
  const steps = tokens.map((token) => ({ token, ...readToken(token, statementSchema, 'rotation') }))
  if (steps.at(-1)?.after !== self) return []
  return steps
    .filter(({ at }) => now - at < SHOWN_MS)
    .flatMap(({ token }) => token)
    .slice(-MAX_SHOWN)
}

/** Every rotation of this node, whether it is still shown or not. */
export const ownRotations = (tokens: readonly Token[]): Rotation[] => tokens.map((token) => readToken(token, statementSchema, 'rotation'))

/** Who this node was. */
export const earlierSelves = (tokens: readonly Token[]): PeerId[] => ownRotations(tokens).map(({ before }) => before)
