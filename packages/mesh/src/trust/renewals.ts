import { lesserRole } from '@qmtcode/protocol'
import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import { RENEW_BELOW_MS, endOf, openChain, readChain } from './grant.ts'
import type { Chain, Grants } from './grant.ts'
import type { Issuer } from './issuer.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { earlierSelves } from './rotation.ts'
import type { TrustBook } from './trust-book.ts'

/** Grants that end soon, or name old keys, or give more than this node's person does, are replaced. */
export interface Renewals {
  /** A fresh grant for a bearer whose own is to be replaced, if this node stands above it as an admin. */
  give(bearer: PeerId): Promise<Chain | undefined>
  /** Keeps a later grant of this node, signed by one above it, that `by` sent. Throws where it does not verify. */
  take(by: PeerId, chain: Chain): Promise<void>
  /** Whether `peerId` should be asked to renew a grant of this node. */
  isWantedOf(peerId: PeerId): boolean
}

export interface RenewalsComponents {
  clock: Clock
  log: Logger
  trust: TrustBook
  content: KnownPeersContent
  issuer: Issuer
  /** A grant of this node changed. */
  onOwn(): void
}

export function createRenewals(components: RenewalsComponents, { self }: { self: PeerId }): Renewals {
  const { clock, log, trust, content, issuer, onOwn } = components
  const { grants } = trust
  const selves = new Set<PeerId>([self, ...earlierSelves(content.rotations)])

  const isMine = (grants: Grants): boolean => grants.some(({ by }) => selves.has(by))
  async function renew(bearer: PeerId, old: Grants): Promise<Chain | undefined> {
    const last = old.at(-1) ?? old[0]
    const isOfOldKeys = last.to !== bearer || old.some(({ by }) => by !== self && selves.has(by))
    const { atMost = last.role } = trust.personal(bearer)
    const isLowered = lesserRole(atMost, last.role) !== last.role
    const isForced = isOfOldKeys || isLowered
    if (!isForced && endOf(old) - clock.now() >= RENEW_BELOW_MS) return undefined
    const root = selves.has(last.root) ? self : last.root
    const fresh = await issuer.issue({ to: bearer, role: last.role, labels: last.labels, id: last.id }, root)
    if (!isForced && endOf(readChain(fresh)) <= endOf(old)) return undefined
    await trust.update(() => grants.keep(bearer, fresh), bearer)
    if (!isOfOldKeys) log.info(isLowered ? 'lowered a grant' : 'renewed a grant', { peerId: bearer, grant: last.id })
    return fresh
  }

  return {
    async give(bearer) {
      if (trust.standing(bearer).state !== 'admitted') return undefined
      const held = grants.chainsOf(bearer).find((chain) => isMine(chain.grants) && grants.counts(chain.grants))
      return held && (await renew(bearer, held.grants))
    },
    async take(by, chain) {
      const opened = await openChain(chain)
      const [{ root }] = opened
      const last = opened.at(-1)
      const mine = grants.own().find((own) => own.grants.at(-1)?.id === last?.id)
      if (!mine || last?.to !== self || grants.chainIn(root, self)?.chain.join() !== mine.chain.join()) return
      if (!grants.prevails(self, opened)) return
      if (root !== mine.root) grants.dropOwn(mine.root)
      await trust.update(() => grants.keepOwn(root, chain))
      onOwn()
      log.info('a grant of this node was renewed', { by, root })
    },
    isWantedOf: (peerId) =>
      grants.own().some(({ root, grants: chain }) => {
        const isAbove = root === peerId || chain.some(({ by }) => by === peerId)
        return isAbove && (chain.at(-1)?.to !== self || endOf(chain) - clock.now() < RENEW_BELOW_MS)
      }),
  }
}
