import type { GossipSet } from './types.ts'

/** A digest is compared by ranges of keys: 10,000 entries that differ in one cost two short answers and some 40 pairs. */
export const BUCKETS = 256

export interface Summary {
  hash: string
  buckets: string[]
}

/** Hashes of what `set` holds, the same on every node that holds the same; the order of entries does not count. */
export function summaryOf(set: Pick<GossipSet, 'digest'>, isShown: (key: string) => boolean): Summary {
  const sums = new Uint32Array(BUCKETS)
  for (const [key, version] of set.digest()) {
    if (!isShown(key)) continue
    const bucket = bucketOf(key)
    sums[bucket] = (sums[bucket] ?? 0) + mix(hashText(`${key}\n${version}`))
  }
  const buckets = Array.from(sums, hex)
  return { hash: hex(hashText(buckets.join(''))), buckets }
}

export const bucketOf = (key: string): number => mix(hashText(key)) & (BUCKETS - 1)

/** FNV-1a. A collision hides a difference until the next change of its bucket; nobody gains by one: entries are signed. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** Spreads the low bits: sums of neighbours must not cancel out. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0')
