import { AppError, LIMITS, silentLogger, systemClock, toAppError } from '@qmtcode/protocol'
import type { Clock, Contract, Logger, PeerId } from '@qmtcode/protocol'
import { createPeerAccount } from './account.ts'
import type { PeerAccount } from './account.ts'
import { createHostStream } from './host-stream.ts'
import type { HostStream } from './host-stream.ts'
import type { ByteStream, EndedCall, RpcPeer, RpcServer, ServedContract } from './types.ts'

export interface RpcServerOptions {
  /** Streams of one peer; further ones are reset. Default: LIMITS.peerStreams. */
  maxStreams?: number
  /** Within this a frame that has begun must end. Default: 30 s. */
  frameTimeoutMs?: number
}

interface PeerEntry {
  account: PeerAccount
  streams: Map<HostStream, object | undefined>
}

export interface RpcServerComponents {
  clock?: Clock
  log?: Logger
  /** Hears of each call once, when it is over. Must not throw. */
  onCall?(peer: RpcPeer, call: EndedCall): void
}

/** Serves the calls of many peers. A peer's breach of the rules resets its stream; a failing handler ends its call. */
export function createRpcServer(components: RpcServerComponents = {}, options: RpcServerOptions = {}): RpcServer {
  const { clock = systemClock, log = silentLogger, onCall } = components
  const { maxStreams = LIMITS.peerStreams, frameTimeoutMs } = options
  const counters = { bytesIn: 0, bytesOut: 0 }
  const peers = new Map<PeerId | undefined, PeerEntry>()
  let stopped: AppError | undefined

  const entryOf = (peerId: PeerId | undefined): PeerEntry => {
    const known = peers.get(peerId)
    if (known) return known
    const made = { account: createPeerAccount(), streams: new Map<HostStream, object | undefined>() }
    peers.set(peerId, made)
    return made
  }
  /** A peer whose handlers still run keeps its entry, so that leaving and coming back resets no bound. */
  const tidy = (): void => {
    for (const [peerId, { streams, account }] of peers) if (streams.size === 0 && account.running() === 0) peers.delete(peerId)
  }
  const cut = (reason: Error, entries: Iterable<PeerEntry>): void => {
    for (const { streams } of entries) for (const stream of streams.keys()) stream.fail(toAppError(reason))
  }
  const serve = (stream: ByteStream, served: ServedContract, peer: RpcPeer): void => {
    const entry = entryOf(peer.peerId)
    if (stopped || entry.streams.size >= maxStreams) {
      return stream.reset(stopped ?? new AppError('busy', `${maxStreams} streams of this peer are open already`))
    }
    const host = createHostStream(
      stream,
      { clock, log, counters, frameTimeoutMs, served, peer, account: entry.account, onCall },
      (error) => {
        entry.streams.delete(host)
        tidy()
        if (error.code === 'bad_request' || error.code === 'too_large') peer.onBreach?.(error)
      },
    )
    entry.streams.set(host, peer.line)
  }
  return {
    accept<C extends Contract>(stream: ByteStream, served: ServedContract<C>, peer: RpcPeer) {
      serve(stream, served, peer)
    },
    cut(reason, peerId) {
      const entry = peers.get(peerId)
      if (peerId === undefined) cut(reason, peers.values())
      else if (entry) cut(reason, [entry])
    },
    answersOwed: (line) =>
      [...peers.values()].flatMap(({ streams }) => [...streams].filter(([stream, its]) => its === line && stream.owesAnswer())).length,
    stats() {
      const streams = [...peers.values()].flatMap((entry) => [...entry.streams.keys()])
      const callsInFlight = streams.filter((stream) => stream.isBusy()).length
      return { streams: streams.length, idleStreams: streams.length - callsInFlight, callsInFlight, queuedCalls: 0, ...counters }
    },
    stop() {
      if (stopped) return
      stopped = new AppError('link_lost', 'this node stops')
      cut(stopped, peers.values())
    },
  }
}
