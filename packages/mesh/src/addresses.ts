/** Addresses and peer ids as people write them, read without the network's libraries. */
export { classifyMeshAddress, localInterfaceAddresses } from './addresses/local-addresses.ts'
export { isLoopbackHost, isPrivateHost } from './addresses/ip-ranges.ts'
export { addressProblem, readAddress } from './addresses/mesh-address.ts'
export type { AddressReading, AddressUse, MeshAddress } from './addresses/mesh-address.ts'
export { readPeerId } from './addresses/peer-id.ts'
