import type { Logger, PeerId } from '@qmtcode/protocol'

/** One way to find addresses of peers. What it finds goes to `onFound`, asked for or not. */
export interface DiscoveryWay {
  readonly name: string
  start(): Promise<void>
  /** Looks for one peer, bounded in time; what comes back, or goes to `onFound` meanwhile. May reject. */
  find(peerId: PeerId, signal: AbortSignal): Promise<string[]>
  /** A peer's link came up or went. */
  linked?(peerId: PeerId): void
  /** This machine has other addresses than before. */
  moved?(): void
  /** Why it cannot work here, for people. */
  problem(): string | undefined
  /** What passes by multicast, as soon as that is known. */
  multicast?(): Promise<Multicast>
  stop(): Promise<void>
}

/** `own`: our own question came back to us. `others`: addresses that others' packets came from. */
export interface Multicast {
  own: boolean
  others: number
}

export interface WayComponents {
  log: Logger
  /** This node's own, dialable, with `/p2p`. */
  addresses(): string[]
  onFound(peerId: PeerId, addresses: string[]): void
}
