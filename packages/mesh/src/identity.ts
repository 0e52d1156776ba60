/** The key of this node: without the network's libraries. */
export { loadPeerId } from './identity/identity-file.ts'
export { rotateIdentity } from './identity/rotate-identity.ts'
export type { Rotated } from './identity/rotate-identity.ts'
