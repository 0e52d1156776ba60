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

/** What `--mesh=ADDR` means: an address of this machine (a wildcard, loopback, an interface's own) without `/p2p` is listened on, any other is dialled. */
export function classifyMeshAddress({ host, peerId, relayed }: MeshAddress, localInterfaces: readonly string[]): 'listen' | 'dial' {
  if (peerId !== undefined || relayed || host === undefined) return 'dial'
  return isWildcardHost(host) || isLoopbackHost(host) || localInterfaces.includes(host) ? 'listen' : 'dial'
}
