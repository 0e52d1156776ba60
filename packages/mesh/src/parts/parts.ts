import type { Ed25519PrivateKey } from '@libp2p/interface'
import type { Audit, Clock, Contract, ContractClient, Logger, PeerId } from '@qmtcode/protocol'
import type { AddressWatch } from '../addresses/address-watch.ts'
import type { Directory } from '../directory/directory.ts'
import type { HeardRecords } from '../directory/heard-records.ts'
import type { OwnRecord } from '../directory/own-record.ts'
import type { Discovery } from '../discovery/discovery.ts'
import type { GossipService } from '../gossip/gossip.ts'
import type { Greeter } from '../handshake/greeter.ts'
import type { Libp2pHost } from '../libp2p-host.ts'
import type { Arrivals } from '../links/arrivals.ts'
import type { Keeper } from '../links/keeper.ts'
import type { Link } from '../links/link.ts'
import type { Links } from '../links/links.ts'
import type { Nat } from '../nat/nat.ts'
import type { Punching } from '../nat/punch/punching.ts'
import type { Upgrades } from '../nat/upgrades.ts'
import type { MeshNodeOptions, MeshTimings } from '../node-types.ts'
import type { MeshEvents } from '../peers/mesh-events.ts'
import type { EndedCall, RpcServer } from '../rpc/types.ts'
import type { Services } from '../services.ts'
import type { BanNews } from '../trust/ban-news.ts'
import type { KnownPeersFile } from '../trust/known-peers-file.ts'
import type { Membership } from '../trust/membership.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import type { Upkeep } from '../trust/upkeep.ts'

/** What every group of parts is made from. */
export interface PartsComponents {
  clock: Clock
  log: Logger
  audit: Audit
  key: Ed25519PrivateKey
  self: PeerId
  file: KnownPeersFile
  options: MeshNodeOptions & { timings: MeshTimings }
}

/** Who may come, and what follows when somebody does. */
export interface TrustParts {
  events: MeshEvents
  trust: TrustBook
  membership: Membership
  server: RpcServer
  services: Services
  arrivals: Arrivals
  greeter: Greeter
  bans: BanNews
  isAdmitted(peerId: PeerId): boolean
  /** Pins the name that an admitted peer gives itself; another node's is logged and left. */
  claimName(peerId: PeerId, claimed: string): void
  noteCall(direction: 'in' | 'out', peerId: PeerId, call: EndedCall): void
}

/** Connections, and how they come to be. */
export interface LinkParts {
  links: Links
  nat: Nat
  host: Libp2pHost
  upkeep: Upkeep
  keeper: Keeper
  upgrades: Upgrades
  punching: Punching
  addressWatch: AddressWatch
  /** A peer that is kept is dialled by its keeper, any other admitted one here. */
  dialFound(peerId: PeerId, signal: AbortSignal): Promise<void>
  /** Brings what runs over a link in line with whether it is up. */
  settle(link: Link): void
  /** On the best line of the peer's link. */
  clientOf<C extends Contract>(peerId: PeerId, contract: C): ContractClient<C> | undefined
  /** With `/p2p`, as bound: of every interface. */
  listenAddresses(): string[]
  /** As peers are told: also where this node is reached from outside its network. */
  ownAddresses(): string[]
  /** Ends every connection of a peer, greeted or not. */
  closeAll(peerId: PeerId, reason: Error): void
}

/** What this node tells of itself, and hears of others. */
export interface KnowledgeParts {
  own: OwnRecord
  directory: Directory
  discovery: Discovery
  gossip: GossipService
  heard: HeardRecords
  /** What discovery and its own record tell. Whoever is not admitted here is not dialled because another told of it: none. */
  learntAddresses(peerId: PeerId): string[]
}

/**
 * Parts that are made after those that hold this, for what they do once the node runs. A call while parts are still being made throws:
 * what is needed then is handed over as a value.
 */
export interface LaterParts {
  links(): LinkParts
  knowledge(): KnowledgeParts
}
