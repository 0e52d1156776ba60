import type { Clock, KnownPeer, PeerId } from '@qmtcode/protocol'
import { createRateWindow } from './rate-window.ts'

export interface Knock {
  peerId: PeerId
  /** As it claims. */
  name: string
  address: string
}

/** Admission requests of this run: bounded, since strangers write them. */
export interface Knocks {
  /** Whether a person should be told: once a peer, five an hour in all. */
  add(knock: Knock): boolean
  remove(peerId: PeerId): void
  list(): KnownPeer[]
  get(peerId: PeerId): Knock | undefined
}

const MAX_KNOCKS = 100
const MAX_TOLD = 1_000
const HOUR_MS = 3_600_000

export function createKnocks(components: { clock: Clock }): Knocks {
  const knocks = new Map<PeerId, Knock & { firstSeen: number; lastSeen: number }>()
  const told = new Set<PeerId>()
  const hourly = createRateWindow(components, { limit: 5, windowMs: HOUR_MS })
  return {
    add(knock) {
      const now = components.clock.now()
      const firstSeen = knocks.get(knock.peerId)?.firstSeen ?? now
      knocks.delete(knock.peerId)
      knocks.set(knock.peerId, { ...knock, firstSeen, lastSeen: now })
      for (const oldest of knocks.keys()) if (knocks.size > MAX_KNOCKS) knocks.delete(oldest)
      if (told.has(knock.peerId) || told.size >= MAX_TOLD || !hourly.take('')) return false
      told.add(knock.peerId)
      return true
    },
    remove(peerId) {
      knocks.delete(peerId)
    },
    list: () =>
      [...knocks.values()].map(({ peerId, name, address, firstSeen, lastSeen }) => ({
        peerId,
        name,
        trust: 'unknown',
        use: false,
        source: 'knock',
        addresses: [address],
        firstSeen,
        lastSeen,
      })),
    get: (peerId) => knocks.get(peerId),
  }
}
