import type { Contract, ContractHandlers, Diagnosis, Load, ModelOffer, PeerId, Peers, Role, Trust } from '@qmtcode/protocol'
import type { GossipTimings } from './gossip/partner.ts'
import type { Gossip } from './gossip/types.ts'
import type { NatOptions } from './nat/nat-options.ts'

/** The mesh as the composition root sees it. Services are handed in; the mesh knows no models and no sessions. */
export interface MeshNode {
  readonly peerId: PeerId
  readonly name: string
  readonly peers: Peers
  readonly trust: Trust
  readonly diagnosis: Diagnosis
  /** What members keep the same among them. Sets are added by whoever knows what they mean. */
  readonly gossip: Gossip
  /** What a node is called here, and may do here, right now; of this node itself too. */
  about(peerId: PeerId): { name: string; role?: Role }
  /** `listener` is called after each change of what a peer may do here, before it can use it. */
  onStanding(listener: (peerId: PeerId, role: Role | undefined) => void): void
  /**
   * Before start, for a service of `ACCESS`, which says who may call what of it. `handlersFor` is asked once a connection of a peer
   * that may call any of its methods; any other stream is reset unread.
   */
  serve<C extends Contract>(contract: C, service: { handlersFor(peer: CallerPeer): ContractHandlers<C> }): void
  /** What this node tells members about itself; pushed to connected peers when it changed. */
  advertise(advert: NodeAdvert): void
  setLoad(load: Load): void
  /** Resolves when listening; throws bad_config for an address that cannot be listened on (in use, not this machine's). */
  start(): Promise<StartReport>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface StartReport {
  /** Real, dialable multiaddrs with `/p2p`. */
  listenAddresses: string[]
  /** The default address was taken: which one is listened on instead. To be said to the person. */
  moved?: { from: string; to: string }
}

/** An admitted peer that calls us. */
export interface CallerPeer {
  peerId: PeerId
  name: string
  role(): Role
  /** Whether it may call this service now, connected or not. */
  isAllowed(): boolean
}

export interface NodeAdvert {
  models: ModelOffer[]
  agents: { id: string; name: string; description: string; capabilities: string[] }[]
  labels: string[]
  sessions: number
}

/** A peer of the configuration. One with neither `addr` nor `peerId` cannot be reached. */
export interface ConfiguredPeer {
  name: string
  /** Multiaddr; may end in `/p2p/…`, which then is its peer id. */
  addr?: string
  peerId?: PeerId
  /** Its role here. Default: what a person gave it, else observer. */
  role?: Role
  /** Whether prompts may leave this machine to it. */
  use: boolean
  /** Ours, for routing; what it says of itself is not added. */
  labels: string[]
  /** Bounds unary calls to it. */
  requestTimeoutSecs?: number
}

export interface MeshNodeOptions {
  /** ed25519 key, libp2p protobuf, mode 0600; made when absent. */
  identityFile: string
  /** Trust decisions and pins; made when absent. */
  knownPeersFile: string
  /** Multiaddrs to listen on; empty: none, unless `defaultListen`. */
  listen: string[]
  /** Also listens on `/ip4/0.0.0.0/tcp/9000`, or the next free port. */
  defaultListen?: boolean
  /** This node's name: letters, digits, `.`, `_`, `-`, at most 63. */
  name: string
  peers: ConfiguredPeer[]
  /** Ways to find addresses of peers beside the configuration's. Default: none. */
  discovery?: ('mdns' | 'kademlia')[]
  /** How it is reached from outside its network. Default: over relays that linked peers offer. */
  nat?: NatOptions
  /** `open`: unknown peers are observers that may use what is served `whenOpen`. */
  trust: 'known' | 'open'
  /** Of qmtcode, told to peers. */
  version: string
  /** Bounds unary calls to peers that have none of their own. Default: 300,000. */
  requestTimeoutMs?: number
  timings?: Partial<MeshTimings>
  /** Milliseconds; tests shorten them. */
  gossip?: Partial<GossipTimings>
}

/** Milliseconds. The defaults are the design's; tests shorten them. */
export interface MeshTimings {
  /** One address of a dial. Default: 2,000. */
  addressDial: number
  /** How long a call waits for a peer that is being dialled. Default: 2,000. */
  dialWait: number
  /** First and largest pause between dials. Defaults: 250 and 3,000. */
  redialMin: number
  redialMax: number
  /** The whole exchange; on a busy machine it takes seconds. Default: 4,000. */
  handshake: number
  /** Between pings. A link is suspect when nothing came for 2.4 intervals, and closed after 3.2. Default: 2,500. */
  ping: number
  /** Between loads told to peers. Default: 250. */
  load: number
  /** Between looks at what time changes: grants that end. Default: 60,000. */
  upkeep: number
}

export const DEFAULT_TIMINGS: MeshTimings = {
  addressDial: 2_000,
  dialWait: 2_000,
  redialMin: 250,
  redialMax: 3_000,
  handshake: 4_000,
  ping: 2_500,
  load: 250,
  upkeep: 60_000,
}
