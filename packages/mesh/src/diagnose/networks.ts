import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isLinkLocalHost, isLoopbackHost } from '../addresses/ip-ranges.ts'

/** Addresses of this machine with their networks, as 10.1.2.3/24; without loopback and link-local ones. */
export const localNetworks = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .flatMap(({ address, cidr }) => (cidr === null || isLoopbackHost(address) || isLinkLocalHost(address) ? [] : [cidr]))

/** Whether an IP address lies in one of the networks. */
export function isInNetworks(ip: string, networks: readonly string[]): boolean {
  const family = isIP(ip)
  if (family === 0) return false
  return networks.some((network) => {
    const [base = '', bits = ''] = network.split('/')
    if (isIP(base) !== family) return false
    const list = new BlockList()
    list.addSubnet(base, Number(bits), family === 6 ? 'ipv6' : 'ipv4')
    return list.check(ip, family === 6 ? 'ipv6' : 'ipv4')
  })
}
