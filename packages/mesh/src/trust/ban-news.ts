import { AppError, createBell, defineContract, stream, toAppError } from '@qmtcode/protocol'
import type { ContractClient, ContractHandlers, Logger, PeerId } from '@qmtcode/protocol'
import { z } from 'zod'
import { meshBanSchema } from './mesh-ban.ts'
import type { Membership } from './membership.ts'
import type { TrustBook } from './trust-book.ts'

/** Bans of a node's meshes: those that it knows, then each as it comes. */
export const bansContract = defineContract('bans', 1, { follow: stream(z.object({}), meshBanSchema) })

/** Tells connected peers the bans of this node's meshes, and takes theirs. */
export interface BanNews {
  handlers: ContractHandlers<typeof bansContract>
  /** Follows a peer until `leave`; a second call for the same peer is a no-op. */
  join(peerId: PeerId): void
  leave(peerId: PeerId): void
  stop(): Promise<void>
}

const RETRY_MS = 1_000
/** Of one peer: whoever signs bans that do not count does not get to sign more. */
const MAX_BAD = 20
const MAX_BAN_BATCH = 6_000

export function createBanNews(components: {
  log: Logger
  trust: TrustBook
  membership: Membership
  clientOf(peerId: PeerId): ContractClient<typeof bansContract> | undefined
}): BanNews {
  const { log, trust, membership, clientOf } = components
  const followed = new Map<PeerId, AbortController>()
  const running = new Set<Promise<void>>()
  const bell = createBell()
  membership.onBan(bell.ring)

  async function* told(signal: AbortSignal) {
    for (let at = 0; !signal.aborted;) {
      const ban = trust.grants.bans()[at]
      if (ban) {
        at += 1
        yield ban
      } else await bell.heard({ signal })
    }
  }
  async function take(peerId: PeerId, signal: AbortSignal): Promise<void> {
    let bad = 0
    let count = 0
    for await (const ban of clientOf(peerId)?.follow({}, { signal }) ?? []) {
      count += 1
      if (count > MAX_BAN_BATCH) throw new AppError('too_large', 'it tells too many bans')
      try {
        await membership.takeBan(ban)
      } catch (error) {
        bad += 1
        log.info('refused a ban', { peerId, error: toAppError(error).message })
        if (bad >= MAX_BAD) throw new AppError('bad_request', 'it tells bans that do not count', { cause: error })
      }
    }
  }
  async function follow(peerId: PeerId, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await take(peerId, signal)
      } catch (error) {
        if (!signal.aborted) log.debug('news of bans ended', { peerId, error: toAppError(error).message })
        if (toAppError(error).code === 'bad_request') return
      }
      await bell.heard({ timeoutMs: RETRY_MS, signal }).catch(() => undefined)
    }
  }
  function leave(peerId: PeerId): void {
    followed.get(peerId)?.abort()
    followed.delete(peerId)
  }

  return {
    handlers: { follow: (_, { signal }) => told(signal) },
    join(peerId) {
      if (followed.has(peerId)) return
      const controller = new AbortController()
      followed.set(peerId, controller)
      const run = follow(peerId, controller.signal).finally(() => running.delete(run))
      running.add(run)
    },
    leave,
    async stop() {
      for (const peerId of followed.keys()) leave(peerId)
      bell.ring()
      await Promise.all(running)
    },
  }
}
