import { isIPv6 } from 'node:net'
import { nearest } from '@qmtcode/protocol'

/** One protocol of a multiaddr, and its value where it has one. */
export type Part = [name: string, value?: string]

export const HOSTS: readonly string[] = ['ip4', 'ip6', 'dns', 'dns4', 'dns6']
export const PORTS: readonly string[] = ['tcp', 'udp']
export const DEFAULT_PORT = 9000

const WITH_VALUE = [...HOSTS, 'ip6zone', ...PORTS, 'p2p', 'certhash']
const WITHOUT_VALUE = ['quic-v1', 'webrtc-direct', 'p2p-circuit']
const UNSPOKEN = ['ws', 'wss', 'tls', 'http', 'https', 'webtransport', 'webrtc', 'dnsaddr', 'unix', 'memory']
const RENAMED: Record<string, string> = { ipfs: 'p2p', quic: 'quic-v1' }

/** Thrown and caught inside the reading of one address. */
export class BadAddress {
  readonly reason: string
  /** What may have been meant; not checked yet. */
  readonly suggestion: string | undefined
  constructor(reason: string, suggestion?: string) {
    this.reason = reason
    this.suggestion = suggestion
  }
}

export const joinParts = (parts: readonly Part[]): string => parts.map((part) => `/${part.join('/')}`).join('')

/** Names with their values, both in canonical form; a name that no transport knows is an error here. */
export function splitParts(text: string): Part[] {
  const words = text
    .replace(/(.)\/$/, '$1')
    .split('/')
    .slice(1)
  const parts: Part[] = []
  for (let i = 0; i < words.length; i += 1) {
    const written = words[i] ?? ''
    const name = RENAMED[written] ?? written
    if (WITHOUT_VALUE.includes(name)) {
      parts.push([name])
    } else if (WITH_VALUE.includes(name)) {
      const value = words[(i += 1)]
      if (!value)
        throw new BadAddress(`${name} needs a value`, PORTS.includes(name) ? `${joinParts(parts)}/${name}/${DEFAULT_PORT}` : undefined)
      parts.push([name, canonicalValue(name, value)])
    } else {
      throw unknownName(words, i)
    }
  }
  return parts
}

function unknownName(words: readonly string[], at: number): BadAddress {
  const written = words[at] ?? ''
  if (written === '') return new BadAddress('not a multiaddr: a part of it is empty')
  if (UNSPOKEN.includes(written))
    return new BadAddress(`/${written} is not spoken here: expected TCP or QUIC over an IP address or a host name`)
  const near = nearest(written, [...WITH_VALUE, ...WITHOUT_VALUE])
  const better = near && `/${words.map((word, i) => (i === at ? near : word)).join('/')}`
  return new BadAddress(`unknown protocol ${JSON.stringify(written)}`, better)
}

/** `FD00:0::5` is `fd00::5`, port `00080` is `80`: one address has one text. */
function canonicalValue(name: string, value: string): string {
  if (name === 'ip6' && isIPv6(value) && !value.includes('%')) return new URL(`http://[${value}]`).hostname.slice(1, -1)
  return PORTS.includes(name) && /^\d{1,6}$/.test(value) ? String(Number(value)) : value
}
