import { silentAudit } from '@qmtcode/protocol'
import type { Audit, MeshEvent } from '@qmtcode/protocol'

export interface MeshEvents {
  emit(event: MeshEvent): void
  /** Events from now on, until `signal` aborts or the node stops. A follower that lags by more than 1,000 loses the oldest. */
  follow(options?: { signal?: AbortSignal }): AsyncIterable<MeshEvent>
  stop(): void
}

const MAX_LAG = 1_000

interface Follower {
  queue: MeshEvent[]
  wake: () => void
}

/** `audit`: where it is noted that another node refused this one. */
export function createMeshEvents({ audit = silentAudit }: { audit?: Audit } = {}): MeshEvents {
  const followers = new Set<Follower>()
  const stopped = new AbortController()
  return {
    emit(event) {
      if (event.type === 'peer.refused') {
        const { peerId, name, reason } = event
        audit.note({ kind: 'refused', direction: 'out', what: 'connection', peerId, name, outcome: 'not_admitted', reason })
      }
      for (const follower of followers) {
        follower.queue.push(event)
        if (follower.queue.length > MAX_LAG) follower.queue.shift()
        follower.wake()
      }
    },
    follow(options = {}) {
      const signal = options.signal ? AbortSignal.any([options.signal, stopped.signal]) : stopped.signal
      const follower: Follower = { queue: [], wake: () => {} }
      if (!signal.aborted) followers.add(follower)
      signal.addEventListener('abort', () => followers.delete(follower), { once: true })
      return eventsOf(follower, signal, () => followers.delete(follower))
    },
    stop: () => stopped.abort(),
  }
}

async function* eventsOf(follower: Follower, signal: AbortSignal, leave: () => void): AsyncGenerator<MeshEvent> {
  const onAbort = (): void => follower.wake()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      const event = follower.queue.shift()
      if (event) yield event
      else await new Promise<void>((resolve) => (follower.wake = resolve))
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    leave()
  }
}
