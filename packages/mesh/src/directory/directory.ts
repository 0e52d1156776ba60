import { toAppError } from '@qmtcode/protocol'
import type { ContractClient, Load, Logger, PeerId } from '@qmtcode/protocol'
import type { directoryContract, DirectoryItem } from './contract.ts'
import { openRecord } from './record.ts'
import type { NodeRecord } from './record.ts'

/** What peers tell of themselves, and what other members pass on of nodes that are not linked. */
export interface Directory {
  /** The newest there is. */
  recordOf(peerId: PeerId): NodeRecord | undefined
  loadOf(peerId: PeerId): Load | undefined
  /** Follows a peer until `leave`; a second call for the same peer is a no-op, and so is one after `stop`. */
  join(peerId: PeerId): void
  leave(peerId: PeerId): void
  forget(peerId: PeerId): void
  stop(): Promise<void>
}

export interface DirectoryComponents {
  log: Logger
  /** The directory of a connected peer, if it may be asked now. */
  clientOf(peerId: PeerId): ContractClient<typeof directoryContract> | undefined
  /** Whether the name that a record carries is this peer's: names are pinned. */
  claimName(peerId: PeerId, name: string): Promise<boolean>
  onChange(peerId: PeerId): void
  /** What is heard of it by gossip. */
  heardOf?(peerId: PeerId): NodeRecord | undefined
}

const RETRY_MS = 1_000
const MAX_ITEMS_PER_SECOND = 50

export function createDirectory(components: DirectoryComponents): Directory {
  const { log, clientOf, claimName, onChange } = components
  const records = new Map<PeerId, NodeRecord>()
  const loads = new Map<PeerId, Load>()
  const followed = new Map<PeerId, AbortController>()
  const running = new Set<Promise<void>>()
  let isStopped = false

  async function accept(peerId: PeerId, item: DirectoryItem): Promise<void> {
    if (item.type === 'load') {
      loads.set(peerId, item.load)
      return onChange(peerId)
    }
    const record = await openRecord(item, peerId)
    const known = records.get(peerId)
    // The same version again, with or without models, is how a change of our role there arrives.
    if (known && known.version > record.version) return
    if (!(await claimName(peerId, record.name))) log.warn('another node bears this name already', { peerId, name: record.name })
    records.set(peerId, record)
    onChange(peerId)
  }
  async function follow(peerId: PeerId, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const item of clientOf(peerId)?.follow({}, { signal }) ?? []) {
          await accept(peerId, item)
          await pause(1_000 / MAX_ITEMS_PER_SECOND, signal)
        }
      } catch (error) {
        if (!signal.aborted) log.debug('directory ended', { peerId, error: toAppError(error).message })
      }
      await pause(RETRY_MS, signal)
    }
  }
  function leave(peerId: PeerId): void {
    followed.get(peerId)?.abort()
    followed.delete(peerId)
    loads.delete(peerId)
  }

  return {
    recordOf(peerId) {
      const [own, heard] = [records.get(peerId), components.heardOf?.(peerId)]
      return own && own.version >= (heard?.version ?? -1) ? own : heard
    },
    loadOf: (peerId) => loads.get(peerId),
    join(peerId) {
      if (isStopped || followed.has(peerId)) return // a hello may come while the node stops
      const controller = new AbortController()
      followed.set(peerId, controller)
      const run = follow(peerId, controller.signal).finally(() => running.delete(run))
      running.add(run)
    },
    leave,
    forget(peerId) {
      leave(peerId)
      records.delete(peerId)
    },
    async stop() {
      isStopped = true
      for (const peerId of followed.keys()) leave(peerId)
      await Promise.all(running)
    },
  }
}

/** Resolves after `ms`, or when `signal` aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  const onAbort = (): void => resolve()
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) resolve()
  return promise.finally(() => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  })
}
