import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isLinkLocalHost, isLoopbackHost, isPrivateHost, isWildcardHost } from './ip-ranges.ts'
import { hostOf, isRelayed } from './multiaddrs.ts'

/** What others can dial of the addresses that are listened on: wildcards as interface addresses, loopback last. */
export function dialableAddresses(listening: readonly Multiaddr[], localInterfaces: readonly string[]): Multiaddr[] {
  const expanded = listening.flatMap((address) => expand(address, localInterfaces))
  const dialable = Array.from(new Set(expanded), (text) => multiaddr(text)).filter((address) => !isLinkLocalHost(hostOf(address) ?? ''))
  return byReach(dialable)
}

/** Order in which to try addresses of one peer: direct private, direct public (and names), loopback, relayed; TCP before QUIC in each. */
export function byReach(addresses: readonly Multiaddr[]): Multiaddr[] {
  return addresses.toSorted((a, b) => reach(a) - reach(b) || transportRank(a) - transportRank(b))
}

const transportRank = (address: Multiaddr): number => (address.getComponents().some((part) => part.name === 'udp') ? 1 : 0)

function expand(address: Multiaddr, localInterfaces: readonly string[]): string[] {
  const host = hostOf(address) ?? ''
  if (!isWildcardHost(host)) return [address.toString()]
  const family = host === '::' ? 'ip6' : 'ip4'
  return localInterfaces
    .filter((local) => (family === 'ip6') === local.includes(':'))
    .map((local) => address.toString().replace(/^\/ip[46]\/[^/]+/, `/${family}/${local}`))
}

function reach(address: Multiaddr): number {
  if (isRelayed(address)) return 3
  const host = hostOf(address) ?? ''
  if (isLoopbackHost(host)) return 2
  return isPrivateHost(host) ? 0 : 1
}
