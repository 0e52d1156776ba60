import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, lesserRole } from '@qmtcode/protocol'
import type { Clock, PeerId } from '@qmtcode/protocol'
import { MAX_DEPTH, issueGrant } from './grant.ts'
import type { Chain, Grant, GrantTerms } from './grant.ts'
import type { TrustBook } from './trust-book.ts'

/** Grants in the meshes that this node is the root or an admin of. */
export interface Issuer {
  /** The mesh that this node may invite into: the first that it is an admin of, else its own. Throws forbidden for a `root` that it is no admin under. */
  place(root?: PeerId): { root: PeerId; chain: Chain }
  /** Gives no more than this node's person gives the bearer. Throws forbidden. Keeps nothing. */
  issue(terms: GrantTerms, root: PeerId): Promise<Chain>
}

export interface IssuerComponents {
  clock: Clock
  key: Ed25519PrivateKey
  trust: TrustBook
}

export function createIssuer({ clock, key, trust }: IssuerComponents, { self }: { self: PeerId }): Issuer {
  const isAdmin = (chain: readonly Grant[]): boolean =>
    chain.at(-1)?.role === 'admin' && chain.at(-1)?.to === self && chain.length < MAX_DEPTH
  function place(root?: PeerId): { root: PeerId; chain: Chain } {
    const admin = trust.grants.own().find(({ root: own, grants: chain }) => (root ?? own) === own && isAdmin(chain))
    if (admin && root !== self) return admin
    if (root !== undefined && root !== self) throw new AppError('forbidden', `this node is no admin of the mesh ${root} any more`)
    return { root: self, chain: [] }
  }
  return {
    place,
    async issue(terms, root) {
      const role = lesserRole(trust.personal(terms.to).atMost ?? terms.role, terms.role)
      const after = trust.grants.chainIn(root, terms.to)?.grants.at(-1)?.from
      return await issueGrant({ ...terms, role, after }, { key, self, parent: place(root).chain }, clock.now())
    },
  }
}
