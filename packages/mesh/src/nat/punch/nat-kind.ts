import type { NatKind } from '@qmtcode/protocol'
import type { Endpoint } from './stun-message.ts'

/** How a socket is seen from outside. */
export interface Seen {
  nat: NatKind
  mapped?: Endpoint
}

/** Why two sides cannot open a way to each other. Undefined: they may, so they try. */
export function whyNot(here: Seen, there: Seen): string | undefined {
  if (here.nat === 'symmetric' && there.nat === 'symmetric')
    return 'both NATs are symmetric: each gives another port for every destination, which nobody can know before'
  if (!here.mapped) return 'no relay says how this node is seen: no STUN there, or UDP is blocked on the way'
  if (!there.mapped) return 'it does not know how it is seen: no STUN at its relays, or UDP is blocked on the way'
  return undefined
}

/** Why nothing came through, though it might have. */
export function whyFailed(here: Seen, there: Seen): string {
  if (here.nat === 'symmetric') return 'the NAT here is symmetric, and the other one lets in only the port that was asked (port-restricted)'
  if (there.nat === 'symmetric') return 'its NAT is symmetric, and the one here lets in only the port that was asked (port-restricted)'
  return 'no datagram came through: a firewall drops UDP, or a NAT changes ports by destination address'
}
