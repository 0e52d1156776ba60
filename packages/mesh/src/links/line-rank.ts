import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isLoopbackHost, isPrivateHost } from '../addresses/ip-ranges.ts'
import { hostOf, isQuic, isRelayed } from '../addresses/multiaddrs.ts'

// What a way between two nodes is worth, the one table of it: direct before relayed, private before public, TCP before QUIC.
const RELAYED = 4
const PUBLIC = 2
const QUIC = 1

/** Of an address that is dialled or was; smaller is better. */
export const wayCost = (address: Multiaddr): number =>
  (isRelayed(address) ? RELAYED : isNear(hostOf(address) ?? '') ? 0 : PUBLIC) + (isQuic(address.toString()) ? QUIC : 0)

/** Of a connection. Both ends say the same of relayed and QUIC; of private and public they may not, with a NAT in between. */
export const connectionCost = ({ remoteAddr }: Pick<Connection, 'remoteAddr'>): number => wayCost(remoteAddr)

/**
 * Whether dialling `address` may give a better line than `connection`. Private addresses are somebody else's elsewhere: beside a direct
 * line only those of a network in common are tried.
 */
export function mayBeBetter(
  address: Multiaddr,
  connection: Pick<Connection, 'remoteAddr'>,
  isOnOwnNetwork: (host: string) => boolean,
): boolean {
  if (wayCost(address) >= connectionCost(connection)) return false
  const [host, linked] = [hostOf(address) ?? '', hostOf(connection.remoteAddr) ?? '']
  if (isRelayed(connection.remoteAddr) || host === linked) return true
  return !isLoopbackHost(host) && (!isPrivateHost(host) || isOnOwnNetwork(host))
}

const isNear = (host: string): boolean => isPrivateHost(host) || isLoopbackHost(host)
