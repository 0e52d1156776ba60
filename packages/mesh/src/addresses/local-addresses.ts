import { BlockList, isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isLinkLocalHost, isLoopbackHost, isWildcardHost } from './ip-ranges.ts'
import type { MeshAddress } from './mesh-address.ts'

/** The IP addresses of this machine, without those that need a zone to be dialled. */
export function localInterfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .map((entry) => entry.address)
    .filter((address) => !isLinkLocalHost(address))
}

/** Whether an IP address is of a network that this machine is in. */
export function isOnOwnNetwork(host: string): boolean {
  const family = (address: string): 'ipv6' | 'ipv4' => (isIPv6(address) ? 'ipv6' : 'ipv4')
  const networks = new BlockList()
  for (const { address, cidr } of Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])) {
    if (cidr !== null) networks.addSubnet(address, Number(cidr.split('/')[1]), family(address))
  }
  return isIP(host) !== 0 && networks.check(host, family(host))
}

/** What `--mesh=ADDR` means: an address of this machine (a wildcard, loopback, an interface's own) without `/p2p` is listened on, any other is dialled. */
export function classifyMeshAddress({ host, peerId, relayed }: MeshAddress, localInterfaces: readonly string[]): 'listen' | 'dial' {
  if (peerId !== undefined || relayed || host === undefined) return 'dial'
  return isWildcardHost(host) || isLoopbackHost(host) || localInterfaces.includes(host) ? 'listen' : 'dial'
}
