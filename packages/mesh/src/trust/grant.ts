import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, INVITE_LIMITS, newId, peerIdSchema, roleIncludes, roleSchema, statedDate, statedName } from '@qmtcode/protocol'
import type { PeerId, Role } from '@qmtcode/protocol'
import { z } from 'zod'
import { readToken, requireSigned, signToken } from './signed.ts'
import type { Token } from './signed.ts'

const DAY_MS = 86_400_000
export const GRANT_MS = 30 * DAY_MS
/** A grant with less is renewed. */
export const RENEW_BELOW_MS = 10 * DAY_MS
export const MAX_DEPTH = 3
/** Clocks of a mesh may differ by so much. */
const SKEW_MS = 5 * 60_000

export const grantSchema = z.object({
  v: z.literal(1),
  /** The same after a renewal. */
  id: z.string().regex(/^gr_[0-9a-z]{16}$/),
  /** The mesh. */
  root: peerIdSchema,
  by: peerIdSchema,
  to: peerIdSchema,
  role: roleSchema,
  /** 1: by the root itself. */
  depth: z.int().min(1).max(MAX_DEPTH),
  /** Milliseconds since 1970. */
  from: statedDate(),
  until: statedDate(),
  labels: z.array(statedName(INVITE_LIMITS.labelChars).min(1)).max(INVITE_LIMITS.labels).optional(),
})
export interface Grant extends z.infer<typeof grantSchema> {}

/** What a chain says, from the root's grant to the bearer's. */
export type Grants = readonly [Grant, ...Grant[]]

/** From the root's grant to the bearer's, signed. */
export type Chain = readonly Token[]
export const chainSchema = z.array(z.string().max(1_200)).min(1).max(MAX_DEPTH)

/** Meshes whose grants of one peer are kept; a hello shows as many. */
export const MAX_MESHES = 4
/** A peer's chains, one a mesh, one after the other. */
export const chainsSchema = z
  .array(z.string().max(1_200))
  .min(1)
  .max(MAX_DEPTH * MAX_MESHES)

export interface GrantTerms {
  to: PeerId
  role: Role
  labels?: readonly string[]
  /** Of the grant that is renewed. */
  id?: string
  /** When the bearer's last grant began: this one is later, so that it takes its place. */
  after?: number
}

/** The chain of the peer that `key` grants `terms`: its own, `parent`, and one more. An empty parent: `self` is the root. Throws forbidden. */
export async function issueGrant(
  terms: GrantTerms,
  { key, self, parent }: { key: Ed25519PrivateKey; self: PeerId; parent: Chain },
  now: number,
): Promise<Token[]> {
  const above = readChain(parent)
  const granter = above.at(-1)
  if (granter && (granter.role !== 'admin' || granter.depth >= MAX_DEPTH)) {
    throw new AppError(
      'forbidden',
      granter.role === 'admin' ? 'a grant of the last depth grants no more' : 'only an admin of a mesh grants in it',
    )
  }
  const from = Math.max(now, (terms.after ?? -1) + 1)
  const grant: Grant = {
    v: 1,
    id: terms.id ?? newId('gr'),
    root: granter?.root ?? self,
    by: self,
    to: terms.to,
    role: terms.role,
    depth: above.length + 1,
    from,
    until: Math.min(from + GRANT_MS, ...above.map(({ until }) => until)),
    ...(terms.labels && terms.labels.length > 0 && { labels: [...terms.labels] }),
  }
  return [...parent, await signToken('grant', grant, key)]
}

/** What a chain says, nothing verified. Throws bad_request. */
export const readChain = (chain: Chain): Grant[] => chain.map((token) => readToken(token, grantSchema, 'grant'))

/** Chains that stand one after the other, each with what it says. Throws bad_request. */
export function splitChains(tokens: Chain): { chain: Chain; grants: Grants }[] {
  const said = readChain(tokens)
  const starts = said.flatMap(({ depth }, at) => (depth === 1 || at === 0 ? [at] : []))
  return starts.flatMap((start, nth) => {
    const [first, ...rest] = said.slice(start, starts[nth + 1])
    return first ? [{ chain: tokens.slice(start, start + 1 + rest.length), grants: [first, ...rest] as const }] : []
  })
}

/** Verified offline: every link is signed by the one before, none gives more than it has. Its time is not looked at. Throws bad_request or forbidden. */
export async function openChain(chain: Chain): Promise<Grants> {
  const [first, ...rest] = readChain(chain)
  if (!first || chain.length > MAX_DEPTH) throw new AppError('bad_request', 'a chain of grants has one to three')
  requireFits(first, undefined, 1)
  let above = first
  for (const grant of rest) {
    requireFits(grant, above, above.depth + 1)
    above = grant
  }
  const bearers = [first.root, first.to, ...rest.map(({ to }) => to)]
  if (new Set(bearers).size !== bearers.length) throw new AppError('bad_request', 'a chain of grants in which one bears two')
  for (const [at, grant] of [first, ...rest].entries()) await requireSigned('grant', chain[at] ?? '', grant.by)
  return [first, ...rest]
}

function requireFits(grant: Grant, above: Grant | undefined, depth: number): void {
  const isNext = above ? grant.by === above.to && grant.root === above.root : grant.by === grant.root
  if (!isNext || grant.depth !== depth) throw new AppError('bad_request', 'a chain of grants that does not hang together')
  if (above && (above.role !== 'admin' || !roleIncludes(above.role, grant.role)))
    throw new AppError('forbidden', `a grant by ${grant.by}, which is no admin of its mesh`)
  if (grant.until <= grant.from || grant.until - grant.from > GRANT_MS) throw new AppError('bad_request', 'a grant for longer than 30 days')
}

/** Whether the whole chain holds at `now`. */
export const isCurrent = (grants: readonly Grant[], now: number): boolean =>
  grants.every(({ from, until }) => from - SKEW_MS <= now && now < until)

/** When the first of the chain ends. */
export const endOf = (grants: readonly Grant[]): number => Math.min(...grants.map(({ until }) => until))
