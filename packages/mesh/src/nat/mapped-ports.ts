import type { UPnPNATComponents } from '@libp2p/upnp-nat'
import type { Multiaddr } from '@multiformats/multiaddr'
import { routerClient } from './router-client.ts'

/** Ports that the router forwards on request (UPnP). */
export interface MappedPorts {
  /** Reads the library, once, before `make`: nodes without UPnP do without it. */
  load(): Promise<void>
  /** A service of libp2p. */
  make(components: UPnPNATComponents): unknown
  addresses(): Multiaddr[]
}

/** A mapping lives this long without this node, and is renewed before. */
const MAPPING_TTL_MS = 3_600_000

export function createMappedPorts(): MappedPorts {
  let service: ((components: UPnPNATComponents) => unknown) | undefined
  let manager: UPnPNATComponents['addressManager'] | undefined
  return {
    async load() {
      const [{ uPnPNAT }, { upnpNat }] = await Promise.all([import('@libp2p/upnp-nat'), import('@achingbrain/nat-port-mapper')])
      const portMappingClient = routerClient(upnpNat({ ttl: MAPPING_TTL_MS, description: 'qmtcode' }))
      service = uPnPNAT({ autoConfirmAddress: true, portMappingClient })
    },
    make(components) {
      if (!service) throw new TypeError('make() before load()')
      manager = components.addressManager
      return service(components)
    },
    addresses: () =>
      (manager?.getAddressesWithMetadata() ?? []).flatMap(({ multiaddr, type }) => (type === 'ip-mapping' ? [multiaddr] : [])),
  }
}
