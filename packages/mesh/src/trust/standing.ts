import { lesserRole } from '@qmtcode/protocol'
import type { PeerId, Role, TrustState } from '@qmtcode/protocol'
import type { ConfiguredPeer } from '../node-types.ts'
import type { MeshGrant } from './grant-book.ts'
import type { KnownPeerEntry } from './known-peers-file.ts'

/** What a peer may do here, and whether prompts may go to it. */
export interface Standing {
  state: TrustState
  role?: Role
  use: boolean
  /** Unknown, but let in as an observer by `trust = "open"`. */
  open: boolean
}

/**
 * The one rule of who is what. A ban outweighs the configuration; a peer of the configuration (by id or by pin) is admitted;
 * then a person's decision; then what a mesh of this node grants, where that mesh does not ban it; then bans; then `trust = "open"`.
 * What a person had said of a peer before a ban bounds what a grant gives it after the ban is lifted.
 * A person may take the use of a configured peer away, not give it.
 */
export function standingOf(
  entry: KnownPeerEntry | undefined,
  configured: ConfiguredPeer | undefined,
  { grant, isBanned, open }: { grant?: MeshGrant; isBanned: boolean; open: boolean },
): Standing {
  const granted = grant && (entry?.atMost ? lesserRole(entry.atMost, grant.role) : grant.role)
  if (entry?.trust === 'banned') return { state: 'banned', use: false, open: false }
  if (configured) {
    return {
      state: 'admitted',
      role: configured.role ?? entry?.role ?? granted ?? 'observer',
      use: configured.use && entry?.use !== false,
      open: false,
    }
  }
  if (entry?.trust === 'admitted') return { state: 'admitted', role: entry.role ?? 'observer', use: entry.use ?? false, open: false }
  if (granted) return { state: 'admitted', role: entry?.role ?? granted, use: entry?.use ?? false, open: false }
  if (isBanned) return { state: 'banned', use: false, open: false }
  return open
    ? { state: 'unknown', role: 'observer', use: entry?.use ?? false, open }
    : { state: 'unknown', use: entry?.use ?? false, open }
}

export const sameStanding = (a: Standing, b: Standing): boolean =>
  a.state === b.state && a.role === b.role && a.use === b.use && a.open === b.open

/** What all ed25519 peer ids begin with. */
export const COMMON_START = '12D3KooW'
export const PREFIX_CHARS = 6

/** How a peer without a name is shown: the shortest prefix of its id that `resolve` takes. */
export const shortId = (peerId: PeerId): string => peerId.slice(0, COMMON_START.length + PREFIX_CHARS)
