import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import { RENEW_BELOW_MS, endOf, openChain, readChain } from './grant.ts'
import type { Chain } from './grant.ts'
import type { Issuer } from './issuer.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { earlierSelves } from './rotation.ts'
import type { TrustBook } from './trust-book.ts'

/** Grants that end soon, or name old keys, are given anew. */
export interface Renewals {
  /** A fresh grant for a bearer whose own ends soon, if this node stands above it as an admin. */
  give(bearer: PeerId): Promise<Chain | undefined>
  /** Keeps a longer grant of this node that `by` sent. Throws where it does not verify. */
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

  return {
    async give(bearer) {
      const chain = grants.chainOf(bearer)
      const grant = grants.grantOf(bearer)
      if (!chain || grant?.until === undefined) return undefined
      const old = readChain(chain)
      const last = old.at(-1)
      if (!last || trust.standing(bearer).state !== 'admitted' || !old.some(({ by }) => selves.has(by))) return undefined
      const isOfOldKeys = last.to !== bearer || old.some(({ by }) => by !== self && selves.has(by))
      if (!isOfOldKeys && grant.until - clock.now() >= RENEW_BELOW_MS) return undefined
      const root = selves.has(last.root) ? self : last.root
      const fresh = await issuer.issue({ to: bearer, role: last.role, labels: last.labels, id: last.id }, root)
      if (!isOfOldKeys && endOf(readChain(fresh)) <= grant.until) return undefined
      await trust.update(() => grants.keep(bearer, fresh))
      if (!isOfOldKeys) log.info('renewed a grant', { peerId: bearer, grant: last.id })
      return fresh
    },
    async take(by, chain) {
      const opened = await openChain(chain)
      const [{ root }] = opened
      const last = opened.at(-1)
      const mine = grants.own().find((own) => own.grants.at(-1)?.id === last?.id)
      if (!mine || last?.to !== self || !grants.isPinned(root)) return
      const isMoved = root !== mine.root || mine.grants.at(-1)?.to !== self
      if (!isMoved && endOf(opened) <= endOf(mine.grants)) return
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
