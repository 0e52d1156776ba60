import type { Contract, ContractHandlers, Load, ModelOffer, PeerId, Peers, Role, Trust } from '@qmtcode/protocol'

/** The mesh as the composition root sees it. Services are handed in; the mesh knows no models and no sessions. */
export interface MeshNode {
  readonly peerId: PeerId
  readonly name: string
  readonly peers: Peers
  readonly trust: Trust
  /** Before start. `handlersFor` is asked once a connection of a peer whose role includes `role`; any other stream is reset unread. */
  serve<C extends Contract>(contract: C, service: { role: Role; handlersFor(peer: CallerPeer): ContractHandlers<C> }): void
  /** What this node tells members about itself; pushed to connected peers when it changed. */
  advertise(advert: NodeAdvert): void
  setLoad(load: Load): void
  /** Resolves when listening; throws bad_config for an address that cannot be listened on (in use, not this machine's). */
  start(): Promise<void>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** An admitted peer that calls us. */
export interface CallerPeer {
  peerId: PeerId
  name: string
  role(): Role
}

export interface NodeAdvert {
  models: ModelOffer[]
  agents: { id: string; name: string; description: string; capabilities: string[] }[]
  labels: string[]
  sessions: number
}
