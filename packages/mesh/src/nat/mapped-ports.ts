import { uPnPNAT } from '@libp2p/upnp-nat'
import type { UPnPNATComponents } from '@libp2p/upnp-nat'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Ports that the router forwards on request (UPnP). */
export interface MappedPorts {
  /** A service of libp2p. */
  make(components: UPnPNATComponents): unknown
  addresses(): Multiaddr[]
}

/** A mapping lives this long without this node, and is renewed before. */
const MAPPING_TTL_MS = 3_600_000

export function createMappedPorts(): MappedPorts {
  const make = uPnPNAT({ autoConfirmAddress: true, portMappingTTL: MAPPING_TTL_MS, portMappingDescription: 'qmtcode' })
  let manager: UPnPNATComponents['addressManager'] | undefined
  return {
    make(components) {
      manager = components.addressManager
      return make(components)
    },
    addresses: () =>
      (manager?.getAddressesWithMetadata() ?? []).flatMap(({ multiaddr, type }) => (type === 'ip-mapping' ? [multiaddr] : [])),
  }
}
