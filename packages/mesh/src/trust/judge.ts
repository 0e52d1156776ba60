import { lesserRole } from '@qmtcode/protocol'
import type { Clock, PeerId, Role } from '@qmtcode/protocol'
import type { Aliases } from './aliases.ts'
import { isCurrent } from './grant.ts'
import type { Grants } from './grant.ts'
import type { BanStatement } from './mesh-ban.ts'

/** What this node's person says of a peer, by the configuration or a decision. */
export interface PersonalWord {
  isBanned: boolean
  /** No signature gives the peer, or whom it brings, more than this. */
  atMost?: Role
}

/** What signed words come to at this node, at the moment they are used: a signature alone gives nothing. */
export interface Judge {
  /** What a chain gives its bearer. Undefined: it does not count now. */
  roleBy(grants: Grants): Role | undefined
  isBannedIn(root: PeerId, peerId: PeerId): boolean
  /** Whether a ban by `by` counts, which stands in the mesh by `above`, the chain down to it. */
  mayBan(by: PeerId, above: Grants): boolean
  /** Whether `next` takes the place of `held`, both of one bearer: it is the later word of one above it, or `held` does not count. */
  prevails(next: Grants, held: Grants): boolean
}

export interface JudgeComponents {
  clock: Clock
  aliases: Aliases
  isPinned(root: PeerId): boolean
  /** The chain that its bearer itself showed in the mesh; this node's own. */
  heldIn(root: PeerId, bearer: PeerId): Grants | undefined
  wordsOn(peerId: PeerId): BanStatement[]
  personal(peerId: PeerId): PersonalWord
}

/**
 * What was asked in the course of one question, with its answer: each once, since admins may grant to, and ban, each other in a circle.
 * While the answer is open, and beyond so many, a ban by an admin does not count, and a chain that lowers its bearer does.
 */
type Asked = Map<string, boolean>
const MAX_ASKED = 64

function askOnce(asked: Asked, question: string, { open, answer }: { open: boolean; answer: () => boolean }): boolean {
  const known = asked.get(question)
  if (known !== undefined || asked.size >= MAX_ASKED) return known ?? open
  asked.set(question, open)
  const answered = answer()
  asked.set(question, answered)
  return answered
}

export function createJudge({ clock, aliases, isPinned, heldIn, wordsOn, personal }: JudgeComponents): Judge {
  const { latest } = aliases
  /** A key that was given up, and that a thief may have, signs nothing more. */
  const isOfKey = (by: PeerId, at: number): boolean => at <= (aliases.givenUpAt(by) ?? at)
  const isSame = (a: PeerId, b: PeerId): boolean => a === b || latest(a) === latest(b)
  const lastOf = (grants: Grants) => grants[grants.length - 1] ?? grants[0]

  /** Every link is current, and of a granter that is an admin still. */
  function stands(grants: Grants, asked: Asked): boolean {
    const [{ root }] = grants
    if (!isPinned(root) || !isCurrent(grants, clock.now()) || personal(latest(root)).isBanned) return false
    return grants.every(({ to, by, from }, at) => {
      if (!isOfKey(by, from) || isBanned(root, to, asked)) return false
      return at === grants.length - 1 || isStillAdmin(to, upTo(grants, at), asked)
    })
  }
  /** The chain down to a granter, as it is quoted in another's, yields to what the granter itself showed later. */
  function isStillAdmin(granter: PeerId, quoted: Grants, asked: Asked): boolean {
    if (personal(latest(granter)).isBanned) return false
    const shown = heldIn(quoted[0].root, granter)
    return !shown || lastOf(shown).role === 'admin' || succeeds(quoted, shown, asked)
  }
  function succeeds(next: Grants, held: Grants, asked: Asked): boolean {
    const question = `stands ${held[0].root} ${lastOf(held).to}`
    if (!askOnce(asked, question, { open: true, answer: () => stands(held, asked) })) return true
    const { by, from } = lastOf(next)
    return held.some((grant) => isSame(grant.by, by)) && from > lastOf(held).from
  }
  function countsAsAdmin(peerId: PeerId, quoted: Grants, asked: Asked): boolean {
    const shown = heldIn(quoted[0].root, peerId)
    const chain = shown && !succeeds(quoted, shown, asked) ? shown : quoted
    const { isBanned: isOut, atMost = 'admin' } = personal(latest(peerId))
    return !isOut && atMost === 'admin' && lastOf(chain).role === 'admin' && stands(chain, asked)
  }
  /** The root's last word decides. Where it said nothing, those count that stand above the peer in the chain it showed itself. */
  function isBanned(root: PeerId, peerId: PeerId, asked: Asked): boolean {
    const words = aliases.all(latest(peerId)).flatMap(wordsOn)
    const here = words.filter((word) => isSame(word.root, root) && isOfKey(word.by, word.at))
    return here.length > 0 && decide(here, (by) => isAdminAbove(by, heldIn(root, peerId), asked), isSame)
  }
  function isAdminAbove(by: PeerId, chain: Grants | undefined, asked: Asked): boolean {
    const at = chain?.findIndex(({ to }) => isSame(to, by)) ?? -1
    if (!chain || at < 0 || at >= chain.length - 1) return false
    const question = `bans ${chain[0].root} ${lastOf(chain).to} ${by}`
    return askOnce(asked, question, { open: false, answer: () => countsAsAdmin(by, upTo(chain, at), asked) })
  }
  return {
    roleBy(grants) {
      if (!stands(grants, new Map())) return undefined
      const granters = [grants[0].root, ...grants.slice(0, -1).map(({ to }) => to)]
      return granters.reduce<Role>((role, id) => lesserRole(role, personal(latest(id)).atMost ?? role), lastOf(grants).role)
    },
    isBannedIn: (root, peerId) => isBanned(root, peerId, new Map()),
    mayBan: (by, above) => countsAsAdmin(by, above, new Map()),
    prevails: (next, held) => succeeds(next, held, new Map()),
  }
}

const upTo = ([first, ...rest]: Grants, at: number): Grants => [first, ...rest.slice(0, at)]

/** What words on one peer in one mesh come to, each signer's last one. `counts`: of another than the root. */
export function decide(
  words: readonly BanStatement[],
  counts: (by: PeerId) => boolean,
  isSame: (a: PeerId, b: PeerId) => boolean = (a, b) => a === b,
): boolean {
  const ofRoot = words.filter(({ root, by }) => isSame(root, by))
  const last = ofRoot.reduce<BanStatement | undefined>((newest, word) => (newest && newest.at >= word.at ? newest : word), undefined)
  if (last) return last.lifted !== true
  return words.some(({ by, lifted }) => lifted !== true && counts(by))
}
