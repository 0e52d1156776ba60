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
  const { address, transport, relayed } = reading.address
  if (relayed) throw notBuilt(text, 'relayed addresses are')
  if (transport === 'webrtc') throw notBuilt(text, 'WebRTC is', overTcp(reading.address))
  return multiaddr(address)
}

/** Whether an address, written as anybody may, is one of QUIC. */
export function isQuic(text: string): boolean {
  const reading = readAddress(text, 'either')
  return reading.ok && reading.address.transport === 'quic'
}

/** The peer id that an address ends in. */
export function peerIdOf(address: Multiaddr): PeerId | undefined {
  return address.getComponents().findLast((part) => part.name === 'p2p')?.value as PeerId | undefined
}

export function withoutPeerId(address: Multiaddr): Multiaddr {
  return multiaddr(address.getComponents().filter((part) => part.name !== 'p2p'))
}

export function hostOf(address: Multiaddr): string | undefined {
  return address.getComponents().find((part) => HOSTS.includes(part.name))?.value
}

/** Where a connection came from: what rate limits count by. Of IPv6 the /64, which one machine has for itself; IPv4 within IPv6 is IPv4. */
export function hostKey(address: Multiaddr): string {
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

function notBuilt(text: string, what: string, tcp?: string): AppError {
  return new AppError('unsupported', `cannot use ${text}: ${what} not built yet`, {
    hint: tcp === undefined ? undefined : `use TCP: ${tcp}`,
  })
}
