import { createBell, toAppError } from '@qmtcode/protocol'
import type { ContractClient, Logger, PeerId } from '@qmtcode/protocol'
import type { gossipContract } from './contract.ts'
import { createOutbox } from './outbox.ts'
import type { Outbox, OutboxComponents } from './outbox.ts'

/** One linked member: pulls from it now and every so often, pushes to it at once. */
export interface Partner {
  readonly outbox: Outbox
  /** At once, or once more after the pull that is under way: this node has a set that it had not. */
  pull(): void
  stop(): Promise<void>
}

export interface PartnerComponents extends Omit<OutboxComponents, 'client'> {
  log: Logger
  /** Over its present connection. */
  clientOf(peerId: PeerId): ContractClient<typeof gossipContract> | undefined
  pull(client: ContractClient<typeof gossipContract>, signal: AbortSignal): Promise<void>
}

export interface GossipTimings {
  /** Changes of so long are pushed together. */
  coalesceMs: number
  /** Between digests. */
  digestMs: number
  /** After an exchange that failed; doubled up to `digestMs`. */
  retryMs: number
  /** After so long without a word of a node, by anybody, it is forgotten. */
  silentMs: number
  /** A node says so often that it is there, whatever changes. */
  refreshMs: number
}

export function createPartner(peerId: PeerId, components: PartnerComponents, timings: GossipTimings): Partner {
  const { log, clientOf, pull } = components
  const stopped = new AbortController()
  const bell = createBell()
  let isDue = false
  const outbox = createOutbox({ ...components, client: () => clientOf(peerId) }, timings)

  async function run(): Promise<void> {
    let retry = timings.retryMs
    while (!stopped.signal.aborted) {
      isDue = false
      let pause = timings.digestMs * (0.8 + Math.random() * 0.4)
      try {
        const client = clientOf(peerId)
        if (client) await pull(client, stopped.signal)
        retry = timings.retryMs
      } catch (error) {
        if (stopped.signal.aborted) return
        log.debug('gossip failed', { peerId, error: toAppError(error).message })
        pause = Math.min(retry, timings.digestMs)
        retry *= 2
      }
      if (!isDue) await bell.heard({ timeoutMs: pause, signal: stopped.signal })
    }
  }
  const running = run()
  return {
    outbox,
    pull() {
      isDue = true
      bell.ring()
    },
    async stop() {
      stopped.abort()
      await Promise.all([outbox.stop(), running])
    },
  }
}
