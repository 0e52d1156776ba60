import type { UPnPNAT } from '@achingbrain/nat-port-mapper'
import { defaultGateways } from './default-gateways.ts'
import { searchRouter } from './search-router.ts'

type Gateway = Awaited<ReturnType<UPnPNAT['getGateway']>>

export interface RouterClientOptions {
  gateways?(): Promise<string[]>
  /** For tests. */
  port?: number
}

/**
 * Port forwarding by the default gateway of this machine and by nothing else: anybody in a network may answer a search, and would
 * learn and decide where this node is reached.
 */
export function routerClient(client: UPnPNAT, { gateways = defaultGateways, port }: RouterClientOptions = {}): UPnPNAT {
  return {
    getGateway: (url, options) => client.getGateway(url, options),
    async *findGateways({ signal } = {}) {
      for (const address of await gateways()) {
        const limit = AbortSignal.any([AbortSignal.timeout(SEARCH_MS), ...(signal ? [signal] : [])])
        const location = await searchRouter(address, { signal: limit, port })
        const found = location && (await client.getGateway(location, { signal: limit }).catch(() => undefined))
        if (found) yield settled(found, location)
      }
    },
  }
}

const SEARCH_MS = 15_000

/**
 * The library looks for a router again when an hour has passed, among all who answer: this one stays as it is. A router that moved its
 * description is another one, since the place is in its id.
 */
function settled(gateway: Gateway, location: URL): Gateway {
  const device: unknown = Reflect.get(gateway, 'gateway')
  const service: unknown = typeof device === 'object' && device !== null ? Reflect.get(device, 'service') : undefined
  if (typeof service !== 'object' || service === null || !('expires' in service)) throw new TypeError('a router of another form')
  service.expires = Number.MAX_SAFE_INTEGER
  gateway.id = `${gateway.id} ${location.href}`
  return gateway
}
