import { isIPv4, isIPv6 } from 'node:net'
import type { PeerId } from '@qmtcode/protocol'
import { BadAddress, DEFAULT_PORT, HOSTS, PORTS, joinParts, splitParts } from './address-parts.ts'
import type { Part } from './address-parts.ts'
import { fromCommonForm } from './common-forms.ts'
import { isLinkLocalHost, isWildcardHost } from './ip-ranges.ts'
import { readPeerId } from './peer-id.ts'

/** What an address is for: `listen` takes no host name and no peer, `dial` no wildcard and no port 0, `either` is a flag before it is classified. */
export type AddressUse = 'listen' | 'dial' | 'either'

export interface MeshAddress {
  /** Canonical multiaddr: `/udp/9000/quic` reads `/ip4/0.0.0.0/udp/9000/quic-v1`. */
  address: string
  /** The last `/p2p` of it. */
  peerId?: PeerId
  /** IP or host name; absent for `/p2p/ID` alone. */
  host?: string
  transport?: 'tcp' | 'quic' | 'webrtc'
  relayed: boolean
}

export type AddressReading = { ok: true; address: MeshAddress } | { ok: false; reason: string; suggestion?: string }

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*\.?$/i

/** Strict where the multiaddr library is lax: what this accepts, some transport can use. */
export function readAddress(text: string, use: AddressUse): AddressReading {
  try {
    return { ok: true, address: read(text, use) }
  } catch (error) {
    if (!(error instanceof BadAddress)) throw error
    const { reason, suggestion } = error
    return { ok: false, reason, suggestion: suggestion !== undefined && isGood(suggestion, use) ? suggestion : undefined }
  }
}

function isGood(text: string, use: AddressUse): boolean {
  try {
    return read(text, use).address !== ''
  } catch (error) {
    if (error instanceof BadAddress) return false
    throw error
  }
}

/** `reason (did you mean "…"?)`. */
export const addressProblem = (reading: AddressReading & { ok: false }): string =>
  reading.suggestion === undefined ? reading.reason : `${reading.reason} (did you mean ${JSON.stringify(reading.suggestion)}?)`

function read(text: string, use: AddressUse): MeshAddress {
  if (!text.startsWith('/')) throw new BadAddress('not a multiaddr: it begins with "/"', fromCommonForm(text))
  const parts = withHost(splitParts(text), use)
  const circuit = parts.findIndex(([name]) => name === 'p2p-circuit')
  const relayed = circuit >= 0
  const direct = relayed ? parts.slice(0, circuit) : parts
  const base = direct.filter(([name]) => name !== 'p2p')
  const { host, transport } = base.length === 0 ? {} : readTransport(base, use)
  const peers = parts.filter(([name]) => name === 'p2p').map(([, id = '']) => checkPeerId(id, parts))
  checkOrder(parts, relayed)
  const address = joinParts(parts)
  if (use === 'listen') checkListen(parts, relayed)
  return { address, host, transport, relayed, peerId: relayed && parts.at(-1)?.[0] !== 'p2p' ? undefined : peers.at(-1) }
}

/** `/tcp/9000` and `/udp/9000/quic` mean every address of this machine; nobody else's. */
function withHost(parts: Part[], use: AddressUse): Part[] {
  const [first] = parts
  if (!first || !PORTS.includes(first[0])) return parts
  if (use === 'dial') throw new BadAddress('it names no host')
  return [['ip4', '0.0.0.0'], ...parts]
}

function readTransport(parts: Part[], use: AddressUse): Pick<MeshAddress, 'host' | 'transport'> {
  const zoned = parts[0]?.[0] === 'ip6zone'
  const [host, port, ...rest] = zoned ? parts.slice(1) : parts
  if (!host || !HOSTS.includes(host[0])) {
    throw new BadAddress(`begins with /${parts[0]?.[0]}, expected a host: ${HOSTS.map((name) => `/${name}`).join(', ')}`)
  }
  checkHost(host, parts)
  const [, name = ''] = host
  if (use === 'dial' && isWildcardHost(name)) throw new BadAddress(`${name} is every address of this machine, nothing to dial`)
  if (!port || !PORTS.includes(port[0])) {
    throw new BadAddress('it names no port: expected /tcp/PORT or /udp/PORT/quic-v1', `/${host.join('/')}/tcp/${DEFAULT_PORT}`)
  }
  checkPort(port, use)
  return { host: name, transport: transportOf(parts, port, rest) }
}

function checkHost([kind, value = '']: Part, parts: Part[]): void {
  const [ip, zone] = value.split('%')
  // The transports drop the zone, without which the system knows no interface for such an address.
  if (kind === 'ip6' && isLinkLocalHost(value))
    throw new BadAddress('a link-local address cannot be used: take another one of the interface')
  if (kind === 'ip6' && zone)
    throw new BadAddress('a zone stands before the address', joinParts(parts).replace(`/ip6/${value}`, `/ip6zone/${zone}/ip6/${ip}`))
  const swap = (name: string) => joinParts(parts.map((part) => (part[1] === value ? [name, value] : part)))
  const right = isIPv4(value) ? 'ip4' : isIPv6(value) ? 'ip6' : looksNumeric(value) ? undefined : 'dns4'
  const ok = kind === 'ip4' ? isIPv4(value) : kind === 'ip6' ? isIPv6(value) : HOST_NAME.test(value) && !isIPv4(value)
  if (ok) return
  const expected = kind === 'ip4' ? 'an IPv4 address' : kind === 'ip6' ? 'an IPv6 address' : 'a host name'
  throw new BadAddress(`${JSON.stringify(value)} is not ${expected}`, right && swap(right))
}

const looksNumeric = (value: string): boolean => /^[\d.:]+$/.test(value)

function checkPort([name, value = '']: Part, use: AddressUse): void {
  const port = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN
  if (!(port <= 65_535)) throw new BadAddress(`${name} port ${JSON.stringify(value)}: expected a number from 0 to 65535`)
  if (port === 0 && use === 'dial') throw new BadAddress(`${name} port 0 means any free port, nothing to dial`)
}

function transportOf(parts: Part[], [kind]: Part, rest: Part[]): MeshAddress['transport'] {
  const written = joinParts(rest.map(([name]) => [name]))
  if (kind === 'tcp') {
    if (written === '') return 'tcp'
    if (written === '/quic-v1') throw new BadAddress('QUIC runs over udp', joinParts(parts).replace('/tcp/', '/udp/'))
    throw new BadAddress(`${written} does not run over tcp`, joinParts(parts.slice(0, parts.length - rest.length)))
  }
  if (written === '') throw new BadAddress('udp alone carries nothing: expected /udp/PORT/quic-v1', `${joinParts(parts)}/quic-v1`)
  if (written === '/quic-v1') return 'quic'
  if (/^\/webrtc-direct(\/certhash)*$/.test(written)) return 'webrtc'
  throw new BadAddress(`${written} does not run over udp`)
}

function checkPeerId(text: string, parts: Part[]): PeerId {
  const reading = readPeerId(text)
  if (reading.ok) return reading.peerId
  throw new BadAddress(`/p2p/${text}: ${reading.reason}`, joinParts(parts.filter(([name]) => name !== 'p2p')))
}

/** `/p2p` stands last, or before and after `/p2p-circuit`. */
function checkOrder(parts: Part[], relayed: boolean): void {
  const written = joinParts(parts.map(([name]) => [name]))
  const tail = relayed ? /^(?:(?!\/p2p(?:$|\/)|\/p2p-circuit).)*\/p2p\/p2p-circuit(?:\/p2p)?$/ : /^(?:(?!\/p2p(?:$|\/)).)*(?:\/p2p)?$/
  if (tail.test(written)) return
  if (relayed) throw new BadAddress('a relayed address reads …/p2p/RELAY/p2p-circuit/p2p/PEER')
  throw new BadAddress('/p2p/PEER stands once, at the end')
}

function checkListen(parts: Part[], relayed: boolean): void {
  if (relayed) throw new BadAddress('nobody listens on a relayed address: name the relay in [mesh.nat] relays')
  if (parts[0]?.[0].startsWith('dns')) throw new BadAddress('to listen needs an IP address, not a host name')
  if (parts.some(([name]) => name === 'p2p')) {
    throw new BadAddress('an address to listen on has no /p2p', joinParts(parts.filter(([name]) => name !== 'p2p')) || undefined)
  }
}
