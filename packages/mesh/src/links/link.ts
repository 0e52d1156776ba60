import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'
import type { RpcClient } from '../rpc/types.ts'
import type { Meter } from './meter.ts'
import type { Pinger } from './ping.ts'

/** What is live between this node and one peer. Several connections may be, after a simultaneous dial; calls go over the first. */
export interface Link {
  readonly peerId: PeerId
  readonly meter: Meter
  /** Greeted connections, the oldest first. */
  lines: Line[]
  /** The latest hello: where this node stands there. Undefined until the first, kept while away. */
  there?: Hello
  rttMs?: number
  isSuspect: boolean
  /** Both sides admit each other, and `peer.connected` was told. */
  isUp: boolean
  /** Why it is not up, for people. */
  problem?: string
  /** Said already, so that redials do not repeat it. */
  refusal?: string
}

/** One greeted connection. */
export interface Line {
  connection: Connection
  rpc: RpcClient
  pinger: Pinger
}

export const newLink = (peerId: PeerId): Link => ({
  peerId,
  meter: { bytesIn: 0, bytesOut: 0 },
  lines: [],
  isSuspect: false,
  isUp: false,
})

export const isConnected = (link: Link | undefined): link is Link => link !== undefined && link.lines.length > 0
