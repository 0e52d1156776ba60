import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock, ContractClient, ContractHandlers, Logger, PeerId } from '@qmtcode/protocol'
import { createContacts } from './contacts.ts'
import type { gossipContract } from './contract.ts'
import { setNameSchema, signEntry } from './entry.ts'
import { ownerOf } from './owner.ts'
import { createGossipHandlers } from './handlers.ts'
import { createIntake } from './intake.ts'
import { createPartner } from './partner.ts'
import type { GossipTimings, Partner } from './partner.ts'
import { pullFrom } from './pull.ts'
import { summaryOf } from './summary.ts'
import type { Summary } from './summary.ts'
import type { Gossip, GossipEntry, GossipSet } from './types.ts'

/** The service as the node runs it. */
export interface GossipService extends Gossip {
  handlersFor(peerId: PeerId): ContractHandlers<typeof gossipContract>
  /** A member is linked, and holds this node as one. A second call for the same peer is a no-op, and so is one after `stop`. */
  join(peerId: PeerId): void
  leave(peerId: PeerId): void
  /** Nothing of a banned or forgotten peer is kept. */
  forget(peerId: PeerId): void
  stop(): Promise<void>
}

export interface GossipComponents {
  clock: Clock
  log: Logger
  key: Ed25519PrivateKey
  clientOf(peerId: PeerId): ContractClient<typeof gossipContract> | undefined
  isBanned(peerId: PeerId): boolean
  /** Peers with a live link, members or not. */
  linked(): PeerId[]
}
export interface GossipOptions {
  self: PeerId
  /** Counts starts of this node: entries of a later start are newer. */
  starts: number
  timings?: Partial<GossipTimings>
}

const VERSIONS_PER_START = 1_000_000_000
export const GOSSIP_TIMINGS: GossipTimings = { coalesceMs: 50, digestMs: 30_000, retryMs: 1_000, silentMs: 900_000, refreshMs: 240_000 }

interface Added {
  set: GossipSet
  /** Until the set changes. */
  summary?: Summary
  leave(): void
}

export function createGossip(components: GossipComponents, options: GossipOptions): GossipService {
  const { clock, log, key, clientOf, isBanned } = components
  const { self, starts } = options
  const timings = { ...GOSSIP_TIMINGS, ...options.timings }
  const intake = createIntake({
    clock,
    log,
    isBanned,
    onSigned: (author, from) => contacts.touch(author, author === from ? undefined : from),
  })
  const sets = new Map<string, Added>()
  const partners = new Map<PeerId, Partner>()
  const ending = new Set<Promise<void>>()
  const contacts = createContacts({ clock, linked: components.linked }, timings)
  const counts = { received: 0, pushed: 0 }
  let signed = 0
  let isStopped = false

  const isShown = (entryKey: string): boolean => !isBanned(ownerOf(entryKey))
  const entryOf = (set: string, entryKey: string): GossipEntry | undefined =>
    isShown(entryKey) ? sets.get(set)?.set.get(entryKey) : undefined
  const summary = (set: GossipSet): Summary => {
    const added = sets.get(set.name)
    return added ? (added.summary ??= summaryOf(set, isShown)) : summaryOf(set, isShown)
  }
  function changed(set: GossipSet, entryKey: string, from?: PeerId): void {
    const added = sets.get(set.name)
    if (added) added.summary = undefined
    const author = ownerOf(entryKey)
    for (const [peerId, { outbox }] of partners) if (peerId !== from && peerId !== author) outbox.add(set.name, entryKey)
  }
  function onNews(set: GossipSet, entryKey: string, from: PeerId): void {
    counts.received += 1
    changed(set, entryKey, from)
  }
  function end(peerId: PeerId): void {
    const stopping = partners.get(peerId)?.stop()
    partners.delete(peerId)
    if (!stopping) return
    const done = stopping.finally(() => ending.delete(done))
    ending.add(done)
  }
  const allSets = (): GossipSet[] => [...sets.values()].map(({ set }) => set)
  return {
    self,
    add(set) {
      if (sets.has(set.name) || !setNameSchema.safeParse(set.name).success) {
        throw new AppError('conflict', `a gossip set ${set.name} is there already, or its name is none`)
      }
      sets.set(set.name, { set, leave: set.onChange((entryKey) => changed(set, entryKey)) })
      for (const partner of partners.values()) partner.pull()
    },
    async sign(set, { id, payload }) {
      signed += 1
      const content = { key: id === undefined ? self : `${self}/${id}`, version: starts * VERSIONS_PER_START + signed, payload }
      return await signEntry(set, content, { key, self })
    },
    contactOf: contacts.get,
    onSilent: contacts.onSilent,
    partners: () => [...partners.keys()],
    stats: () => ({ ...counts, refused: { ...intake.refused } }),
    handlersFor: (peerId) =>
      createGossipHandlers(peerId, { intake, sets: allSets, entryOf, isShown, summary, onNews, isPartner: (other) => partners.has(other) }),
    join(peerId) {
      if (isStopped || partners.has(peerId)) return // a hello may come while the node stops
      contacts.touch(peerId)
      const partner = createPartner(
        peerId,
        {
          log,
          clientOf,
          entryOf,
          onPushed: (count) => (counts.pushed += count),
          pull: (client, signal) => pullFrom(peerId, { client, intake, sets: allSets, summary, onNews }, signal),
        },
        timings,
      )
      partners.set(peerId, partner)
    },
    leave: end,
    forget(peerId) {
      end(peerId)
      contacts.forget(peerId)
      for (const added of sets.values()) {
        added.set.forget(peerId)
        added.summary = undefined
      }
    },
    async stop() {
      isStopped = true
      contacts.stop()
      for (const { leave } of sets.values()) leave()
      for (const peerId of partners.keys()) end(peerId)
      await Promise.all(ending)
    },
  }
}
