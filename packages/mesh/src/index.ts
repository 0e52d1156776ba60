export { classifyMeshAddress, localInterfaceAddresses } from './addresses/local-addresses.ts'
export { parseDialAddress, parseListenAddress } from './addresses/multiaddrs.ts'
export type { CallerPeer, ConfiguredPeer, MeshNode, MeshNodeOptions, MeshTimings, NodeAdvert, StartReport } from './node-types.ts'
