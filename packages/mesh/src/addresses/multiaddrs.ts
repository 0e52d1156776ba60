import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Component, Multiaddr } from '@multiformats/multiaddr'
import { Circuit, QUIC_V1, TCP } from '@multiformats/multiaddr-matcher'
import { AppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'

const HOSTS = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6', 'dnsaddr', 'ip6zone'])

/** An address as written, in the form that libp2p takes: `/tcp/9000` gets a wildcard host, `quic` becomes `quic-v1`. */
export function normaliseAddress(text: string): Multiaddr {
  const parts = componentsOf(text)
  const [first] = parts
  const hosted: Component[] = first?.name === 'tcp' || first?.name === 'udp' ? [component('/ip4/0.0.0.0'), ...parts] : parts
  return multiaddr(hosted.map((part) => (part.name === 'quic' ? component('/quic-v1') : part)))
}

/** An address to listen on. Throws bad_config (malformed, not one to listen on) or unsupported (not built yet), with the nearest right form. */
export function parseListenAddress(text: string): Multiaddr {
  const address = normaliseAddress(text)
  const name = address.getComponents()[0]?.name
  if (peerIdOf(address)) throw invalid(text, 'an address to listen on has no /p2p part', withoutPeerId(address).toString())
  requireTcp(text, address)
  if (name !== 'ip4' && name !== 'ip6') throw invalid(text, `cannot listen on a ${name} name`, `/ip4/0.0.0.0/tcp/${portOf(address)}`)
  return address
}

/** An address of another node to dial. Throws as `parseListenAddress` does. */
export function parseDialAddress(text: string): Multiaddr {
  const [first] = componentsOf(text)
  const address = normaliseAddress(text)
  const port = portOf(address) || '9000'
  if (first && !HOSTS.has(first.name)) throw invalid(text, 'it names no host to dial', `/ip4/192.0.2.7/tcp/${port}`)
  requireTcp(text, address)
  if (isWildcard(address)) throw invalid(text, 'a wildcard is no host to dial', `/ip4/192.0.2.7/tcp/${port}`)
  if (portOf(address) === '0') throw invalid(text, 'port 0 cannot be dialled', withPort(address, '9000'))
  return address
}

/** The peer id that an address ends in. */
export function peerIdOf(address: Multiaddr): PeerId | undefined {
  return address.getComponents().findLast((part) => part.name === 'p2p')?.value as PeerId | undefined
}

export function withoutPeerId(address: Multiaddr): Multiaddr {
  return multiaddr(address.getComponents().filter((part) => part.name !== 'p2p'))
}

export function hostOf(address: Multiaddr): string | undefined {
  return address.getComponents().find((part) => HOSTS.has(part.name) && part.name !== 'ip6zone')?.value
}

/** The IP address or name that a connection came from, without port: what rate limits count by. */
export function hostKey(address: Multiaddr): string {
  return hostOf(address) ?? address.toString()
}

export function isWildcard(address: Multiaddr): boolean {
  const host = hostOf(address)
  return host === '0.0.0.0' || host === '::'
}

function portOf(address: Multiaddr): string {
  return address.getComponents().find((part) => part.name === 'tcp' || part.name === 'udp')?.value ?? ''
}

function withPort(address: Multiaddr, port: string): string {
  return address.toString().replace(/\/(tcp|udp)\/\d+/, `/$1/${port}`)
}

function requireTcp(text: string, address: Multiaddr): void {
  if (TCP.exactMatch(address)) return
  const host = hostOf(address)
  const tcp = `/${address.getComponents()[0]?.name ?? 'ip4'}/${host ?? '0.0.0.0'}/tcp/${portOf(address) || '9000'}`
  if (QUIC_V1.exactMatch(address)) {
    throw new AppError('unsupported', `cannot use ${text}: QUIC is not built yet`, { hint: `use TCP: ${tcp}` })
  }
  if (Circuit.matches(address)) throw new AppError('unsupported', `cannot use ${text}: relayed addresses are not built yet`)
  throw invalid(text, 'only TCP over an IP address or a DNS name can be used', tcp)
}

function componentsOf(text: string): Component[] {
  let parts: Component[]
  try {
    parts = multiaddr(text).getComponents()
  } catch (cause) {
    throw invalid(text, cause instanceof Error ? cause.message : String(cause), nearest(text), cause)
  }
  if (parts.length === 0) throw invalid(text, 'it is empty', '/ip4/0.0.0.0/tcp/9000')
  const id = parts.find((part) => part.name === 'p2p')?.value
  if (id !== undefined) requirePeerId(text, id)
  return parts
}

function requirePeerId(text: string, id: string): void {
  try {
    peerIdFromString(id)
  } catch (cause) {
    throw invalid(text, `${id} is no peer id`, undefined, cause)
  }
}

function component(text: string): Component {
  const [part] = multiaddr(text).getComponents()
  if (!part) throw new AppError('internal', `no component in ${text}`)
  return part
}

function invalid(text: string, reason: string, form?: string, cause?: unknown): AppError {
  const hint = form === undefined ? undefined : `did you mean ${form}?`
  return new AppError('bad_config', `${JSON.stringify(text)} is no usable address: ${reason}`, { cause, hint })
}

/** What somebody meant who wrote a host and port in another notation. */
function nearest(text: string): string {
  const match = /^(?:[a-z0-9+]+:\/\/)?(?:\[([0-9a-fA-F:]+)\]|([^/:\s[\]]*))?(?::(\d{1,5}))?\/?$/.exec(text.trim())
  if (!match) return '/ip4/0.0.0.0/tcp/9000'
  const [, ip6, host = '', port = '9000'] = match
  if (ip6) return `/ip6/${ip6}/tcp/${port}`
  if (/^\d{1,5}$/.test(host)) return `/ip4/0.0.0.0/tcp/${host}`
  if (/^[\d.]+$/.test(host) || host === '') return `/ip4/${host || '0.0.0.0'}/tcp/${port}`
  return `/dns4/${host}/tcp/${port}`
}
