import { AppError, LIMITS, isAppError, toAppError } from '@qmtcode/protocol'
import { createCallerStream } from './caller-stream.ts'
import type { CallerStream } from './caller-stream.ts'
import type { Cancellation } from './cancellation.ts'
import type { ChannelComponents } from './channel.ts'
import type { ByteStream } from './types.ts'

/** Opens a stream that speaks `protocolId`. */
export type OpenStream = (protocolId: string, options: { signal: AbortSignal }) => Promise<ByteStream>

export interface PoolOptions {
  /** Default: LIMITS.peerStreams. */
  maxStreams?: number
  /** Calls that wait for a stream; further ones are `busy`. Default: LIMITS.peerQueuedCalls. */
  maxQueued?: number
  /** Streams kept without a call; a burst's others are closed as they become free. Default: 64. */
  maxIdle?: number
}

/** Kept streams to one peer. The most recently used one first, so that the others can be closed. */
export interface Pool {
  /** A free stream, the caller's until its call is over. Throws busy, what `open` throws, or the cancellation's reason. */
  acquire(protocolId: string, cancellation: Cancellation): Promise<CallerStream>
  /** Opens streams until `count` of this protocol are there. */
  warm(protocolId: string, count: number): Promise<void>
  stats(): { streams: number; idle: number; queued: number; inUse: number }
  stop(reason: AppError): void
}

interface Waiter {
  protocolId: string
  give: PromiseWithResolvers<CallerStream>
}
interface Kept {
  stream: CallerStream
  protocolId: string
}

export function createPool(components: ChannelComponents & { open: OpenStream }, options: PoolOptions = {}): Pool {
  const { maxStreams = LIMITS.peerStreams, maxQueued = LIMITS.peerQueuedCalls, maxIdle = 64 } = options
  const all = new Set<Kept>()
  const idle: Kept[] = []
  const waiters: Waiter[] = []
  const stopping = new AbortController()
  const opening = new Map<string, number>()
  let openingCount = 0
  let stopped: AppError | undefined

  const total = (): number => all.size + openingCount
  const takeIdle = (protocolId: string): Kept | undefined => {
    const at = idle.findLastIndex((kept) => kept.protocolId === protocolId)
    return at === -1 ? undefined : idle.splice(at, 1)[0]
  }
  /** Gives a free stream to the first who waits for it, or keeps it. */
  const offer = (kept: Kept): void => {
    const at = waiters.findIndex((waiter) => waiter.protocolId === kept.protocolId)
    if (at === 0 || (at > 0 && total() < maxStreams)) return waiters.splice(at, 1)[0]?.give.resolve(kept.stream)
    if (waiters.length > 0 || idle.length >= maxIdle) return kept.stream.close()
    idle.push(kept)
  }
  const forget = (kept: Kept): void => {
    all.delete(kept)
    const at = idle.indexOf(kept)
    if (at !== -1) idle.splice(at, 1)
    openForWaiters()
  }
  const keep = (bytes: ByteStream, protocolId: string): Kept => {
    const stream = createCallerStream(bytes, components, { onFree: () => offer(kept), onClosed: () => forget(kept) })
    const kept: Kept = { stream, protocolId }
    all.add(kept)
    return kept
  }
  const countOpening = (protocolId: string, change: 1 | -1): void => {
    openingCount += change
    opening.set(protocolId, (opening.get(protocolId) ?? 0) + change)
  }
  const openOne = async (protocolId: string): Promise<Kept> => {
    countOpening(protocolId, 1)
    try {
      const bytes = await components.open(protocolId, { signal: stopping.signal })
      if (!stopped) return keep(bytes, protocolId)
      bytes.reset(stopped)
      throw stopped
    } catch (error) {
      throw unreachable(error)
    } finally {
      countOpening(protocolId, -1)
    }
  }
  const openFor = (protocolId: string): void => {
    openOne(protocolId).then(offer, (error: AppError) => {
      const at = waiters.findIndex((waiter) => waiter.protocolId === protocolId)
      if (at !== -1) waiters.splice(at, 1)[0]?.give.reject(error)
      openForWaiters()
    })
  }
  /** Room has come: those who wait and have no stream under way get one, in order. */
  const openForWaiters = (): void => {
    if (stopped) return
    const underWay = new Map(opening)
    for (const { protocolId } of waiters) {
      if (total() >= maxStreams) return
      const spare = underWay.get(protocolId) ?? 0
      if (spare > 0) underWay.set(protocolId, spare - 1)
      else openFor(protocolId)
    }
  }
  const wait = async (protocolId: string, cancellation: Cancellation): Promise<CallerStream> => {
    const waiter: Waiter = { protocolId, give: Promise.withResolvers<CallerStream>() }
    waiters.push(waiter)
    cancellation.listen((reason) => {
      const at = waiters.indexOf(waiter)
      if (at === -1) return
      waiters.splice(at, 1)
      waiter.give.reject(reason)
    })
    if (total() >= maxStreams) idle[0]?.stream.close()
    else openFor(protocolId)
    return waiter.give.promise
  }
  return {
    async acquire(protocolId, cancellation) {
      if (stopped) throw stopped
      const reason = cancellation.reason()
      if (reason) throw reason
      const kept = takeIdle(protocolId)
      if (kept) return kept.stream
      if (waiters.length >= maxQueued) throw new AppError('busy', `${waiters.length} calls wait for a stream to this peer already`)
      return wait(protocolId, cancellation)
    },
    async warm(protocolId, count) {
      const have = [...all].filter((kept) => kept.protocolId === protocolId).length
      const missing = Math.min(count - have, maxStreams - total())
      if (stopped || missing <= 0) return
      await Promise.all(Array.from({ length: missing }, () => openOne(protocolId).then(offer)))
    },
    stats: () => ({ streams: all.size, idle: idle.length, queued: waiters.length, inUse: all.size - idle.length }),
    stop(reason) {
      if (stopped) return
      stopped = reason
      stopping.abort(reason)
      for (const waiter of waiters.splice(0)) waiter.give.reject(reason)
      for (const kept of all) kept.stream.fail(reason)
    },
  }
}

const unreachable = (error: unknown): AppError =>
  isAppError(error) || (error instanceof Error && error.name === 'AbortError')
    ? toAppError(error)
    : new AppError('peer_unreachable', `cannot open a stream: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
