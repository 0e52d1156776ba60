import type { Clock, PeerId } from '@qmtcode/protocol'
import type { GossipContact } from './types.ts'

/**
 * When each node was last heard of, by whomever. An entry carries no clock, since clocks differ: what counts is that a fresher one came,
 * or that a link is there.
 */
export interface Contacts {
  touch(peerId: PeerId, via?: PeerId): void
  get(peerId: PeerId): GossipContact | undefined
  forget(peerId: PeerId): void
  onSilent(listener: (peerId: PeerId) => void): () => void
  stop(): void
}

const LOOKS = 30 // within the time after which a node is silent
const MAX_CONTACTS = 20_000

export function createContacts(components: { clock: Clock; linked(): PeerId[] }, options: { silentMs: number }): Contacts {
  const { clock, linked } = components
  const contacts = new Map<PeerId, GossipContact & { since: number }>()
  const listeners = new Set<(peerId: PeerId) => void>()

  function touch(peerId: PeerId, via?: PeerId): void {
    contacts.delete(peerId) // to the end: the first is the oldest
    contacts.set(peerId, { at: clock.now(), since: clock.monotonic(), via })
    const [oldest] = contacts.keys()
    if (contacts.size > MAX_CONTACTS && oldest) contacts.delete(oldest)
  }
  function look(): void {
    for (const peerId of linked()) touch(peerId)
    for (const [peerId, { since }] of contacts) {
      if (clock.monotonic() - since <= options.silentMs) return
      contacts.delete(peerId)
      for (const listener of listeners) listener(peerId)
    }
  }
  const timer = setInterval(look, options.silentMs / LOOKS).unref()
  return {
    touch,
    get(peerId) {
      const { at, via } = contacts.get(peerId) ?? {}
      return at === undefined ? undefined : { at, via }
    },
    forget: (peerId) => contacts.delete(peerId),
    onSilent(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stop: () => clearInterval(timer),
  }
}
