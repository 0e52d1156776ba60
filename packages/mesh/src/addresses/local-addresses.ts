import { networkInterfaces } from 'node:os'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { hostOf, isWildcard, normaliseAddress, peerIdOf } from './multiaddrs.ts'

/** The IP addresses of this machine, without those that need a zone to be dialled. */
export function localInterfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .map((entry) => entry.address)
    .filter((address) => !isLinkLocal(address))
}

/**
 * What `--mesh=ADDR` means: an address of this machine (a wildcard, loopback, an interface's own) without `/p2p` is listened on, any other is dialled.
 * Throws bad_config for what is no address.
 */
export function classifyMeshAddress(text: string, localInterfaces: readonly string[]): 'listen' | 'dial' {
  const address = normaliseAddress(text)
  if (peerIdOf(address)) return 'dial'
  const host = hostOf(address)
  if (host === undefined) return 'dial'
  return isWildcard(address) || isLoopback(host) || localInterfaces.includes(host) ? 'listen' : 'dial'
}

/** What others can dial of the addresses that are listened on: wildcards as interface addresses, loopback last. */
export function dialableAddresses(listening: readonly Multiaddr[], localInterfaces: readonly string[]): Multiaddr[] {
  const expanded = listening.flatMap((address) => (isWildcard(address) ? expand(address, localInterfaces) : [address.toString()]))
  const dialable = [...new Set(expanded)].map((text) => multiaddr(text)).filter((address) => !isLinkLocal(hostOf(address) ?? ''))
  return byReach(dialable)
}

/** Order in which to try addresses of one peer: direct private, direct public (and names), loopback, relayed. */
export function byReach(addresses: readonly Multiaddr[]): Multiaddr[] {
  return addresses.toSorted((a, b) => reach(a) - reach(b))
}

function expand(address: Multiaddr, localInterfaces: readonly string[]): string[] {
  const family = hostOf(address) === '::' ? 'ip6' : 'ip4'
  return localInterfaces
    .filter((local) => (family === 'ip6') === local.includes(':'))
    .map((local) => address.toString().replace(/^\/ip[46]\/[^/]+/, `/${family}/${local}`))
}

function reach(address: Multiaddr): number {
  if (address.getComponents().some((part) => part.name === 'p2p-circuit')) return 3
  const host = hostOf(address) ?? ''
  if (isLoopback(host)) return 2
  return isPrivate(host) ? 0 : 1
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.') || host === 'localhost'
}

function isPrivate(host: string): boolean {
  return (
    /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.)/.test(host) ||
    /^(f[cd]|fe[89ab])/i.test(host)
  )
}

function isLinkLocal(host: string): boolean {
  return /^fe[89ab]/i.test(host)
}
