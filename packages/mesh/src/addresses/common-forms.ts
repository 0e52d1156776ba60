import { isIPv4, isIPv6 } from 'node:net'
import { DEFAULT_PORT } from './address-parts.ts'
import { readPeerId } from './peer-id.ts'

/** The multiaddr that was meant by `host:port`, an IP, a port, a URL or a peer id. */
export function fromCommonForm(text: string): string | undefined {
  if (/^\d{1,5}$/.test(text)) return `/ip4/0.0.0.0/tcp/${text}`
  const bare = text.replace(/^[a-z]+:\/\//i, '').replace(/\/+$/, '')
  const match = /^(?:\[([0-9a-f:]+)\]|([^:/\s]+)|([0-9a-f:]+))(?::(\d+))?$/i.exec(bare)
  const host = isIPv6(bare) ? bare : (match?.[1] ?? match?.[2] ?? match?.[3])
  if (!host) return /^(ip4|ip6|dns4?|udp|tcp|p2p)\//.test(bare) ? `/${bare}` : undefined
  const kind = isIPv4(host) ? 'ip4' : isIPv6(host) ? 'ip6' : 'dns4'
  if (kind === 'dns4' && readPeerId(host).ok) return `/p2p/${host}`
  return `/${kind}/${host}/tcp/${isIPv6(bare) ? DEFAULT_PORT : (match?.[4] ?? DEFAULT_PORT)}`
}
