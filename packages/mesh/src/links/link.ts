import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@qmtcode/protocol'
import { isRelayed } from '../addresses/multiaddrs.ts'
import type { Hello } from '../handshake/hello.ts'
import type { RpcClient } from '../rpc/types.ts'
import { connectionCost } from './line-rank.ts'
import type { Meter } from './meter.ts'
import type { Pinger } from './ping.ts'

/** What is live between this node and one peer. Several connections may be, after a simultaneous dial; new calls go over the first. */
export interface Link {
  readonly peerId: PeerId
  readonly meter: Meter
  /** Greeted connections, the best first: see `byWorth`. */
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
  /** Of its own calls; they count in the link's meter too. */
  meter: Meter
  /** Nothing came for so long that it is suspect. */
  isSilent: boolean
  /** Pings that were answered. */
  answers: number
  /** Set while it is asked whether it still answers. */
  proof?: NodeJS.Timeout
  /** The address of this machine that it is bound to, where it is to one. */
  localHost?: string
  /** Set while it waits for its calls to end: a better line is there. */
  draining?: NodeJS.Timeout
}

/** Lines that answer first, then by what they are worth; of equals the oldest. */
export const byWorth = (lines: readonly Line[]): Line[] =>
  lines.toSorted((a, b) => Number(a.isSilent) - Number(b.isSilent) || connectionCost(a.connection) - connectionCost(b.connection))

/** Whether all that there is leads over a relay. */
export const isRelayedLink = (link: Link): boolean => {
  const [best] = link.lines
  return best !== undefined && isRelayed(best.connection.remoteAddr)
}

export const newLink = (peerId: PeerId): Link => ({
  peerId,
  meter: { bytesIn: 0, bytesOut: 0 },
  lines: [],
  isSuspect: false,
  isUp: false,
})

export const isConnected = (link: Link | undefined): link is Link => link !== undefined && link.lines.length > 0
