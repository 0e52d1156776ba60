import { AppError } from '@qmtcode/protocol'
import type { ContractClient, PeerId } from '@qmtcode/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { FETCH_KEYS } from './contract.ts'
import type { gossipContract } from './contract.ts'
import type { Intake } from './intake.ts'
import type { Summary } from './summary.ts'
import type { GossipEntry, GossipSet } from './types.ts'

type Client = ContractClient<typeof gossipContract>

export interface PullComponents {
  client: Client
  intake: Intake
  sets(): GossipSet[]
  summary(set: GossipSet): Summary
  onNews(set: GossipSet, key: string, from: PeerId): void
}

const CALL_MS = 30_000

/** Fetches from one partner what it has and this node lacks, set by set. Throws what broke the exchange. */
export async function pullFrom(from: PeerId, components: PullComponents, signal: AbortSignal): Promise<void> {
  const { client, sets, summary } = components
  const theirs = await client.summary({}, { signal, timeoutMs: CALL_MS })
  for (const set of sets()) {
    const there = theirs.sets.find(({ name }) => name === set.name)
    if (!there || there.hash === summary(set).hash || components.intake.isMuted(from)) continue
    await pullSet(set, from, components, signal)
  }
}

async function pullSet(set: GossipSet, from: PeerId, components: PullComponents, signal: AbortSignal): Promise<void> {
  const { client } = components
  const { hashes } = await client.buckets({ set: set.name }, { signal, timeoutMs: CALL_MS })
  const ours = components.summary(set).buckets
  const buckets = hashes.flatMap((hash, bucket) => (hash === ours[bucket] ? [] : [bucket]))
  if (buckets.length === 0) return
  const wanted = await wantedKeys(set, { buckets, from }, components, signal)
  for (let at = 0; at < wanted.length; at += FETCH_KEYS) {
    await fetchInto(set, { keys: wanted.slice(at, at + FETCH_KEYS), from }, components, signal)
  }
}

/** Keys of the partner's digest that would be news. Throws too_large for a digest of more than the set may hold. */
async function wantedKeys(
  set: GossipSet,
  { buckets, from }: { buckets: number[]; from: PeerId },
  { client, intake }: PullComponents,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = new Set<string>()
  let told = 0
  const bound = AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)])
  for await (const pairs of client.digest({ set: set.name, buckets }, { signal: bound })) {
    told += pairs.length
    if (told > set.maxEntries || pairs.length === 0) {
      intake.refuse('tooMany', from, { set: set.name, told })
      throw new AppError('too_large', `its digest of ${set.name} has more than ${set.maxEntries} entries, or empty pages`)
    }
    for (const [key, version] of pairs) if (set.wants(key, version)) wanted.add(key)
  }
  return [...wanted]
}

async function fetchInto(
  set: GossipSet,
  { keys, from }: { keys: string[]; from: PeerId },
  { client, intake, onNews }: PullComponents,
  signal: AbortSignal,
): Promise<void> {
  const asked = new Set(keys)
  const bound = AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)])
  for await (const entry of client.fetch({ set: set.name, keys }, { signal: bound })) {
    if (!asked.delete(entry.key)) throw new AppError('bad_request', `it sent an entry of ${set.name} that nobody asked for`)
    await allowed(entry, { intake, from, signal: bound })
    if (intake.isMuted(from)) return
    if ((await intake.take(set, entry, from)) === 'news') onNews(set, entry.key, from)
  }
}

async function allowed(entry: GossipEntry, { intake, from, signal }: { intake: Intake; from: PeerId; signal: AbortSignal }): Promise<void> {
  for (let pause = intake.pauseFor(from, entry); pause > 0; pause = intake.pauseFor(from, entry)) await delay(pause, undefined, { signal })
}
