import { createDiscovery } from '../discovery/discovery.ts'
import type { Discovery, DiscoveryComponents } from '../discovery/discovery.ts'
import { createKademlia } from '../discovery/kademlia.ts'
import { createMdns } from '../discovery/mdns.ts'
import { isConnected } from '../links/link.ts'
import type { KnowledgeParts, LinkParts, PartsComponents, TrustParts } from './parts.ts'

type Given = Pick<TrustParts, 'trust' | 'isAdmitted'> &
  Pick<LinkParts, 'links' | 'host' | 'dialFound' | 'ownAddresses'> &
  Pick<KnowledgeParts, 'own' | 'learntAddresses'>

/** Discovery in the ways that the configuration names: of peers that are known and missed. */
export function createFinding(components: PartsComponents, given: Given): Discovery {
  const { clock, log, self, options } = components
  const { trust, links, own, dialFound, ownAddresses } = given
  return createDiscovery(
    {
      clock,
      log: log.child('discovery'),
      isKnown: (peerId) => trust.known().includes(peerId),
      isMissed(peerId) {
        const { state, use } = trust.standing(peerId)
        return (state === 'admitted' || (use && state !== 'banned')) && !isConnected(links.get(peerId))
      },
      dial: dialFound,
      addresses: ownAddresses,
      onAddressChange: () => own.advertise(own.advert),
      makeWay: wayMaker(components, given),
    },
    { self, ways: options.discovery ?? [] },
  )
}

function wayMaker({ key }: PartsComponents, { trust, isAdmitted, links, host, learntAddresses }: Given): DiscoveryComponents['makeWay'] {
  return (way, given) => {
    if (way === 'mdns') return createMdns({ ...given, logger: host.libp2p.logger })
    return createKademlia({
      ...given,
      libp2p: host.libp2p,
      key,
      isAdmitted,
      connectionOf: (peerId) => links.get(peerId)?.lines[0]?.connection,
      addressesOf: (peerId) => [...learntAddresses(peerId), ...trust.addressesOf(peerId)],
    })
  }
}
