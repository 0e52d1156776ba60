import { networkInterfaces } from 'node:os'
import type { NetworkInterfaceInfo } from 'node:os'
import type { MeshAddress } from './address.ts'

type Interfaces = () => NodeJS.Dict<NetworkInterfaceInfo[]>

/** Wildcard, loopback, or an interface's own address, without `/p2p`: to listen on. All others are somebody else's. */
export function ownAddresses(interfaces: Interfaces = networkInterfaces): (address: MeshAddress) => 'listen' | 'connect' {
  return ({ host, peerId, relayed }) => {
    if (host === undefined || peerId !== undefined || relayed) return 'connect'
    const own = Object.values(interfaces()).flatMap((infos) => (infos ?? []).map(({ address }) => address.split('%', 1)[0]))
    return isWildcard(host) || isLoopback(host) || own.includes(host.toLowerCase()) ? 'listen' : 'connect'
  }
}

const isWildcard = (host: string): boolean => host === '0.0.0.0' || /^[0:]+$/.test(host)
const isLoopback = (host: string): boolean => /^127\.\d+\.\d+\.\d+$/.test(host) || /^[0:]*:0*1$/.test(host)
