import { AppError, createBell, defineContract, stream, toAppError } from '@qmtcode/protocol'
import type { ContractClient, ContractHandlers, Logger, PeerId } from '@qmtcode/protocol'
import { z } from 'zod'
import { meshBanSchema } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import type { Membership } from './membership.ts'
import type { TrustBook } from './trust-book.ts'

export const bansContract = defineContract('bans', 1, {
  /** Bans of the callee's meshes that it knows. It ends. */
  known: stream(z.object({}), meshBanSchema),
  /** The same, then each as it comes. */
  follow: stream(z.object({}), meshBanSchema),
})

/** Tells connected peers the bans of this node's meshes, and takes theirs: before anything else is served to them. */
export interface BanNews {
  handlers: ContractHandlers<typeof bansContract>
  /** A handshake with an admitted peer began: it is served nothing until `join` took its bans, or `leave`, or 2 s are over. */
  expect(peerId: PeerId): void
  /** Resolves when the peer may be served; undefined: now. */
  held(peerId: PeerId): Promise<void> | undefined
  /** Follows a peer until `leave`; a second call for the same peer is a no-op, and so is one after `stop`. */
  join(peerId: PeerId): void
  leave(peerId: PeerId): void
  stop(): Promise<void>
}

const RETRY_MS = 1_000
const HOLD_MS = 2_000
/** Of one peer: whoever signs bans that do not count does not get to sign more. */
const MAX_BAD = 20
const MAX_BAN_BATCH = 6_000
/** Taken together, so that a long list is written in few pieces. */
const AT_ONCE = 64

export function createBanNews(components: {
  log: Logger
  trust: TrustBook
  membership: Membership
  clientOf(peerId: PeerId): ContractClient<typeof bansContract> | undefined
}): BanNews {
  const { log, trust, membership, clientOf } = components
  const followed = new Map<PeerId, AbortController>()
  const running = new Set<Promise<void>>()
  let isStopped = false
  const bell = createBell()
  membership.onBan(bell.ring)
  const holds = createHolds(log)

  async function* told(signal: AbortSignal) {
    for (let at = 0; !signal.aborted;) {
      const heard = bell.heard({ signal })
      for (const { ban, order } of trust.grants.bansAfter(at)) {
        at = order
        yield ban
      }
      await heard
    }
  }
  async function* knownBans() {
    for (const { ban } of trust.grants.bansAfter(0)) yield await Promise.resolve(ban)
  }
  async function take(peerId: PeerId, method: 'known' | 'follow', signal: AbortSignal): Promise<void> {
    let bad = 0
    let count = 0
    const underWay = new Set<Promise<void>>()
    const takeOne = async (ban: MeshBan): Promise<void> => {
      try {
        await membership.takeBan(ban)
      } catch (error) {
        bad += 1
        log.info('refused a ban', { peerId, error: toAppError(error).message })
      }
    }
    for await (const ban of clientOf(peerId)?.[method]({}, { signal }) ?? []) {
      count += 1
      if (count > MAX_BAN_BATCH) throw new AppError('too_large', 'it tells too many bans')
      if (bad >= MAX_BAD) throw new AppError('bad_request', 'it tells bans that do not count')
      const run = takeOne(ban).finally(() => underWay.delete(run))
      underWay.add(run)
      if (underWay.size >= AT_ONCE) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  }
  async function follow(peerId: PeerId, signal: AbortSignal): Promise<void> {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      try {
        if (isFirst) await takeFirst(peerId, signal)
        await take(peerId, 'follow', signal)
      } catch (error) {
        if (!signal.aborted) log.debug('news of bans ended', { peerId, error: toAppError(error).message })
        if (toAppError(error).code === 'bad_request') return
      }
      await bell.heard({ timeoutMs: RETRY_MS, signal }).catch(() => undefined)
    }
  }
  async function takeFirst(peerId: PeerId, signal: AbortSignal): Promise<void> {
    try {
      await take(peerId, 'known', signal)
    } finally {
      holds.release(peerId)
    }
  }
  function leave(peerId: PeerId): void {
    followed.get(peerId)?.abort()
    followed.delete(peerId)
    holds.release(peerId)
  }

  return {
    handlers: { known: () => knownBans(), follow: (_, { signal }) => told(signal) },
    expect(peerId) {
      if (!followed.has(peerId)) holds.begin(peerId)
    },
    held: holds.of,
    join(peerId) {
      if (isStopped || followed.has(peerId)) return // a hello may come while the node stops
      holds.begin(peerId)
      const controller = new AbortController()
      followed.set(peerId, controller)
      const run = follow(peerId, controller.signal).finally(() => running.delete(run))
      running.add(run)
    },
    leave,
    async stop() {
      isStopped = true
      for (const peerId of followed.keys()) leave(peerId)
      holds.stop()
      bell.ring()
      await Promise.all(running)
    },
  }
}

/** Peers that wait to be served. */
function createHolds(log: Logger) {
  const waiting = new Map<PeerId, { over: Promise<void>; end: () => void; timer: NodeJS.Timeout }>()
  const release = (peerId: PeerId): void => {
    const hold = waiting.get(peerId)
    waiting.delete(peerId)
    clearTimeout(hold?.timer)
    hold?.end()
  }
  const late = (peerId: PeerId): void => {
    log.warn('a peer is served though it did not tell its bans in time', { peerId, ms: HOLD_MS })
    release(peerId)
  }
  return {
    release,
    begin(peerId: PeerId): void {
      if (waiting.has(peerId)) return
      const { promise: over, resolve: end } = Promise.withResolvers<void>()
      waiting.set(peerId, { over, end, timer: setTimeout(late, HOLD_MS, peerId).unref() })
    },
    of: (peerId: PeerId): Promise<void> | undefined => waiting.get(peerId)?.over,
    stop(): void {
      for (const peerId of waiting.keys()) release(peerId)
    },
  }
}
