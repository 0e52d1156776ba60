import { isIPv6 } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { AppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { HOSTS } from './address-parts.ts'
import { readAddress } from './mesh-address.ts'
import type { AddressUse, MeshAddress } from './mesh-address.ts'

/** An address to listen on. Throws bad_config (malformed, not one to listen on) with the nearest right form, or unsupported (not built yet). */
export const parseListenAddress = (text: string): Multiaddr => parse(text, 'listen')

/** An address of another node to dial; `/p2p/ID` alone is one too, where discovery is asked. Throws as `parseListenAddress` does. */
export const parseDialAddress = (text: string): Multiaddr => parse(text, 'dial')

function parse(text: string, use: AddressUse): Multiaddr {
  const reading = readAddress(text, use)
  if (!reading.ok) throw unusable(text, reading.reason, reading.suggestion)
  const { address, transport } = reading.address
  if (transport === 'webrtc') throw notBuilt(text, 'WebRTC is', overTcp(reading.address))
  return multiaddr(address)
}

/** Whether an address, written as anybody may, is one of QUIC. */
export function isQuic(text: string): boolean {
  const reading = readAddress(text, 'either')
  return reading.ok && reading.address.transport === 'quic'
}

/** Whether an address leads over a relay. */
export const isRelayed = (address: Multiaddr): boolean => address.getComponents().some((part) => part.name === 'p2p-circuit')

/** The peer id that an address ends in. */
export function peerIdOf(address: Multiaddr): PeerId | undefined {
  const last = address.getComponents().at(-1)
  return last?.name === 'p2p' ? (last.value as PeerId | undefined) : undefined
}

/** The relay that an address leads over, and where it is. */
export function relayOf(address: Multiaddr): { peerId: PeerId; address: Multiaddr } | undefined {
  const parts = address.getComponents()
  const at = parts.findIndex((part) => part.name === 'p2p-circuit')
  const direct = multiaddr(parts.slice(0, Math.max(0, at)))
  const peerId = peerIdOf(direct)
  return peerId === undefined ? undefined : { peerId, address: withoutPeerId(direct) }
}

/** The relay's id stays: it is a part of the way. */
export function withoutPeerId(address: Multiaddr): Multiaddr {
  const parts = address.getComponents()
  return parts.at(-1)?.name === 'p2p' ? multiaddr(parts.slice(0, -1)) : address
}

export function hostOf(address: Multiaddr): string | undefined {
  return address.getComponents().find((part) => HOSTS.includes(part.name))?.value
}

/**
 * Where a connection came from: what rate limits count by. Of IPv6 the /64, which one machine has for itself; IPv4 within IPv6 is IPv4.
 * Behind a relay everybody is a place of his own: the relay's address says nothing about who is there.
 */
export function hostKey(address: Multiaddr): string {
  if (isRelayed(address)) return `relayed/${peerIdOf(address) ?? ''}`
  const host = hostOf(address) ?? address.toString()
  if (!isIPv6(host)) return host
  const { hostname } = new URL(`http://[${host}]`) // the shortest form, in hexadecimal
  const mapped = /^\[::ffff:([\da-f]{1,4}):([\da-f]{1,4})\]$/.exec(hostname)
  if (mapped)
    return mapped
      .slice(1)
      .flatMap((part) => [parseInt(part, 16) >> 8, parseInt(part, 16) & 255])
      .join('.')
  const [left = '', right] = hostname.slice(1, -1).split('::')
  const groups = left === '' ? [] : left.split(':')
  const missing = right === undefined ? 0 : 8 - groups.length - (right === '' ? 0 : right.split(':').length)
  return [...groups, ...Array.from({ length: missing }, () => '0'), ...(right ? right.split(':') : [])].slice(0, 4).join(':')
}

const overTcp = ({ address }: MeshAddress): string => address.replace(/\/udp\/(\d+)\/[^/]+(\/certhash\/[^/]+)*/, '/tcp/$1')

function unusable(text: string, reason: string, suggestion?: string): AppError {
  const hint = suggestion === undefined ? undefined : `did you mean ${suggestion}?`
  return new AppError('bad_config', `${JSON.stringify(text)} is no usable address: ${reason}`, { hint })
}

function notBuilt(text: string, what: string, tcp: string): AppError {
  return new AppError('unsupported', `cannot use ${text}: ${what} not built yet`, { hint: `use TCP: ${tcp}` })
}
