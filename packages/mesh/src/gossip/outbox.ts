import { toAppError } from '@qmtcode/protocol'
import type { ContractClient, Logger } from '@qmtcode/protocol'
import { PUSH_BYTES, PUSH_ENTRIES } from './contract.ts'
import type { gossipContract } from './contract.ts'
import { sizeOf } from './intake.ts'
import type { GossipEntry } from './types.ts'

/** What one partner is to be told: keys, so that a key that changes ten times is told once. */
export interface Outbox {
  add(set: string, key: string): void
  stop(): Promise<void>
}

export interface OutboxComponents {
  log: Logger
  client(): ContractClient<typeof gossipContract> | undefined
  /** What of a key may be told now; nothing where it is gone, or its author banned. */
  entryOf(set: string, key: string): GossipEntry | undefined
  onPushed(count: number): void
}

export function createOutbox(components: OutboxComponents, options: { coalesceMs: number }): Outbox {
  const { log, client, entryOf, onPushed } = components
  const waiting = new Map<string, Set<string>>()
  const stopped = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let pushing: Promise<void> | undefined

  /** The next entries of one set. */
  function nextBatch(): { set: string; entries: GossipEntry[] } | undefined {
    for (const [set, keys] of waiting) {
      const entries: GossipEntry[] = []
      let bytes = 0
      for (const key of keys) {
        if (entries.length >= PUSH_ENTRIES || bytes >= PUSH_BYTES) break
        keys.delete(key)
        const entry = entryOf(set, key)
        if (!entry) continue
        entries.push(entry)
        bytes += sizeOf(entry)
      }
      if (keys.size === 0) waiting.delete(set)
      if (entries.length > 0) return { set, entries }
    }
    return undefined
  }
  async function flush(): Promise<void> {
    try {
      for (let batch = nextBatch(); batch && !stopped.signal.aborted; batch = nextBatch()) {
        await client()?.push(batch, { signal: stopped.signal })
        onPushed(batch.entries.length)
      }
    } catch (error) {
      waiting.clear() // the partner's next pull finds what it lacks
      if (!stopped.signal.aborted) log.debug('gossip was not pushed', { error: toAppError(error).message })
    } finally {
      pushing = undefined
      if (waiting.size > 0) schedule()
    }
  }
  function schedule(): void {
    if (timer || pushing || stopped.signal.aborted) return
    timer = setTimeout(() => {
      timer = undefined
      pushing = flush()
    }, options.coalesceMs)
  }
  return {
    add(set, key) {
      const keys = waiting.get(set) ?? new Set()
      waiting.set(set, keys.add(key))
      schedule()
    },
    async stop() {
      stopped.abort()
      clearTimeout(timer)
      await pushing
    },
  }
}
