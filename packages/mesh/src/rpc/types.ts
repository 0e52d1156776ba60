import type { AppError, CallContext, Contract, ContractClient, ContractHandlers, ErrorCode, PeerId } from '@qmtcode/protocol'

/**
 * What rpc needs of a transport: a libp2p stream, a socket, or a pair in memory.
 * Nothing here throws: a failure arrives once, by `onClose`.
 */
export interface ByteStream {
  /** Queues `bytes`, which the stream then owns. False: wait for `onDrain` before more. After the end it is a no-op that returns true. */
  send(bytes: Uint8Array): boolean
  /** At most one listener each. Data that arrives before `onData` is set, or while paused, is kept by the transport within its own bound. */
  onData(listener: (bytes: Uint8Array) => void): void
  onDrain(listener: () => void): void
  /** Called once. Without an error the end may be clean or a killed peer: only our frames tell. */
  onClose(listener: (error?: Error) => void): void
  pause(): void
  resume(): void
  /** Ends our side after what is queued. */
  close(): void
  /** Ends both sides now. */
  reset(reason: Error): void
  /** Groups the writes of all streams of one connection into one; `flush` runs inside. Absent: no grouping. */
  cork?(flush: () => void): void
}

/** Calls to one peer: a pool of kept streams, each with one call at a time. */
export interface RpcClient {
  client<C extends Contract>(contract: C): ContractClient<C>
  /** Opens `count` streams of a contract ahead of use. */
  warm(contract: Contract, count: number): Promise<void>
  stats(): RpcStats
  /** Calls under way that have one answer: they cannot be resumed. */
  answersAwaited(): number
  /** Fails what is under way with `reason` and closes the streams; later calls throw it. Safe to call twice. */
  stop(reason?: Error): void
}

/** Accepts streams of many peers. */
export interface RpcServer {
  /** Serves a stream until it ends. The handlers are the peer's own: what it may not do, they refuse. */
  accept<C extends Contract>(stream: ByteStream, served: ServedContract<C>, peer: RpcPeer): void
  /** Cuts every call and stream of a peer (a ban), or of all. */
  cut(reason: Error, peerId?: PeerId): void
  /** Calls under way on a line that have one answer. */
  answersOwed(line: object): number
  stats(): RpcStats
  stop(): void
}

export interface ServedContract<C extends Contract = Contract> {
  contract: C
  handlers: ContractHandlers<C>
}

export interface RpcPeer extends Pick<CallContext, 'peerId'> {
  /** What its streams share: a connection. */
  line?: object
  /** Hears that a stream of it was reset because it broke the rules. */
  onBreach?(error: AppError): void
}

/** A call that is over, at either end. */
export interface EndedCall {
  service: string
  /** Absent: its first frame did not say one that there is. */
  method?: string
  /** The input, before it was parsed. */
  input: unknown
  trace?: string
  outcome: 'ok' | ErrorCode
  ms: number
  bytesIn: number
  bytesOut: number
}

export interface RpcStats {
  streams: number
  idleStreams: number
  callsInFlight: number
  queuedCalls: number
  bytesIn: number
  bytesOut: number
}
