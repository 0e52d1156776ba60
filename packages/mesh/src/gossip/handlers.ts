import { AppError } from '@qmtcode/protocol'
import type { ContractHandlers, PeerId } from '@qmtcode/protocol'
import { DIGEST_PAGE } from './contract.ts'
import type { gossipContract } from './contract.ts'
import type { Intake } from './intake.ts'
import { bucketOf } from './summary.ts'
import type { Summary } from './summary.ts'
import type { GossipEntry, GossipSet } from './types.ts'

export interface GossipHandlersComponents {
  intake: Intake
  sets(): GossipSet[]
  entryOf(set: string, key: string): GossipEntry | undefined
  /** Of nobody who is banned here. */
  isShown(key: string): boolean
  summary(set: GossipSet): Summary
  onNews(set: GossipSet, key: string, from: PeerId): void
  /** Both sides hold each other as members, now. */
  isPartner(peerId: PeerId): boolean
}

/** What one peer may ask for and tell. */
export function createGossipHandlers(peerId: PeerId, components: GossipHandlersComponents): ContractHandlers<typeof gossipContract> {
  const { intake, sets, entryOf, isShown, summary, onNews, isPartner } = components

  function requirePartner(): void {
    if (isPartner(peerId)) return
    throw new AppError('forbidden', 'entries are exchanged with nodes only that hold this one as a member', {
      hint: 'give it the role member there: qmtcode peers role PEER_ID member',
    })
  }
  function setOf(name: string): GossipSet {
    requirePartner()
    const set = sets().find((candidate) => candidate.name === name)
    if (set) return set
    throw new AppError('not_found', `no gossip set ${name} here`)
  }
  async function* digest({ set: name, buckets }: { set: string; buckets: number[] }): AsyncGenerator<[string, number][]> {
    const set = setOf(name)
    const asked = new Set(buckets)
    const pairs = [...set.digest()].filter(([key]) => asked.has(bucketOf(key)) && isShown(key))
    for (let at = 0; at < pairs.length; at += DIGEST_PAGE) {
      yield pairs.slice(at, at + DIGEST_PAGE).map(([key, version]): [string, number] => [key, version])
    }
  }
  async function* fetch({ set: name, keys }: { set: string; keys: string[] }): AsyncGenerator<GossipEntry> {
    const set = setOf(name)
    for (const key of new Set(keys)) {
      const entry = entryOf(set.name, key)
      if (entry) yield entry
    }
  }
  return {
    summary: async () => {
      requirePartner()
      return { sets: sets().map((set) => ({ name: set.name, hash: summary(set).hash })) }
    },
    buckets: async ({ set }) => ({ hashes: summary(setOf(set)).buckets }),
    digest,
    fetch,
    push: async ({ set: name, entries }) => {
      const set = setOf(name)
      if (intake.isMuted(peerId) || !intake.mayPush(peerId, entries)) {
        intake.refuse('tooMany', peerId, { set: name, entries: entries.length })
        throw new AppError('rate_limited', 'more entries than a node may push', { hint: 'what is true is fetched later' })
      }
      for (const entry of entries) {
        if (intake.isMuted(peerId)) break
        if ((await intake.take(set, entry, peerId)) === 'news') onNews(set, entry.key, peerId)
      }
      return {}
    },
  }
}
