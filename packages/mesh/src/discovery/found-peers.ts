import type { Clock, PeerId } from '@qmtcode/protocol'
import { readAddress } from '../addresses/mesh-address.ts'

/** Addresses that others told, by peer: bounded, since anybody on the network may write here. */
export interface FoundPeers {
  /** What one way of discovery says now replaces what it said before. Addresses that nobody can dial are left out. */
  add(peerId: PeerId, addresses: readonly string[], way: string): void
  /** The latest first. */
  addressesOf(peerId: PeerId): string[]
  ids(): PeerId[]
}

const MAX_UNKNOWN = 100
const MAX_ADDRESSES = 8
const MAX_AGE_MS = 120_000 // of what nobody repeats; mDNS repeats every ten seconds

interface Told {
  addresses: string[]
  at: number
}

/** `isKnown`: peers there is an opinion on; the others share a hundred places. */
export function createFoundPeers(components: { clock: Clock; isKnown(peerId: PeerId): boolean }): FoundPeers {
  const { clock, isKnown } = components
  const found = new Map<PeerId, Map<string, Told>>()

  function forgetOld(): void {
    const oldest = clock.monotonic() - MAX_AGE_MS
    for (const [peerId, ways] of found) {
      for (const [way, { at }] of ways) if (at < oldest) ways.delete(way)
      if (ways.size === 0) found.delete(peerId)
    }
  }
  function bound(): void {
    const unknown = [...found.keys()].filter((peerId) => !isKnown(peerId))
    for (const peerId of unknown.slice(0, Math.max(0, unknown.length - MAX_UNKNOWN))) found.delete(peerId)
  }
  return {
    add(peerId, addresses, way) {
      const usable = addresses.slice(0, 4 * MAX_ADDRESSES).flatMap((text) => {
        const reading = readAddress(text, 'dial')
        return reading.ok && (reading.address.peerId ?? peerId) === peerId ? [reading.address.address] : []
      })
      if (usable.length === 0) return
      const ways = found.get(peerId) ?? new Map<string, Told>()
      found.delete(peerId)
      found.set(peerId, ways.set(way, { addresses: usable.slice(0, MAX_ADDRESSES), at: clock.monotonic() }))
      bound()
    },
    addressesOf(peerId) {
      forgetOld()
      const told = [...(found.get(peerId)?.values() ?? [])].toSorted((a, b) => b.at - a.at)
      return [...new Set(told.flatMap(({ addresses }) => addresses))]
    },
    ids() {
      forgetOld()
      return [...found.keys()]
    },
  }
}
