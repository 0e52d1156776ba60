import { localInterfaceAddresses } from '../addresses/local-addresses.ts'
import { NO_NAT } from '../nat/nat-options.ts'
import { punchContract } from '../nat/punch/contract.ts'
import { createPunching } from '../nat/punch/punching.ts'
import type { Punching } from '../nat/punch/punching.ts'
import type { LaterParts, LinkParts, PartsComponents, TrustParts } from './parts.ts'

/** Direct ways through NATs, and the service by which peers open them together. */
export function createWays(
  { clock, log, self, options }: PartsComponents,
  { trust, services, greeter, links, nat, host }: TrustParts & Pick<LinkParts, 'links' | 'nat' | 'host'>,
  later: LaterParts,
): Punching {
  const punching = createPunching(
    {
      clock,
      log: log.child('nat'),
      stunServer: nat.stunServer,
      links,
      relays: nat.relayLinks,
      addressesOf: (peerId) => [...(later.knowledge().directory.recordOf(peerId)?.addresses ?? []), ...trust.addressesOf(peerId)],
      hosts: localInterfaceAddresses,
      spareQuic: host.spareQuic,
      greet: (connection) => greeter.greet(connection),
    },
    { self, punch: options.nat?.punch ?? NO_NAT.punch },
  )
  const { handlersFor } = punching
  if (handlersFor) services.add(punchContract, { handlersFor: (peer) => handlersFor(peer.peerId) })
  return punching
}
