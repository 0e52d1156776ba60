import type { ModelPart } from '@qmtcode/protocol'
import { LIMITS } from '@qmtcode/protocol'

/** The parts of one call that its caller may still need, by number; the first part of a call is 0. */
export interface KeptParts {
  /** Number of the first that is kept, and of the next to come. */
  from(): number
  until(): number
  get(number: number): ModelPart | undefined
  add(part: ModelPart): void
  /** What is kept before `number` was sent: all but what may still be on its way is forgotten. */
  sent(number: number): void
  /** The caller has everything before `number`. */
  forget(number: number): void
  /** Memory, roughly. */
  bytes(): number
}

/** On its way at most: a call's credit, and what is gathered beyond it, as characters of three bytes. */
const MAX_ON_ITS_WAY = 2 * LIMITS.callCreditBytes
const PART_OVERHEAD_BYTES = 128

export function createKeptParts(): KeptParts {
  const parts: ModelPart[] = []
  const sizes: number[] = []
  let from = 0
  let size = 0
  let sentUntil = 0
  let sentSize = 0

  const drop = (count: number): void => {
    if (count <= 0) return
    for (let at = 0; at < count; at += 1) {
      const dropped = sizes[at] ?? 0
      size -= dropped
      if (from + at < sentUntil) sentSize -= dropped
    }
    parts.splice(0, count)
    sizes.splice(0, count)
    from += count
    sentUntil = Math.max(sentUntil, from)
  }
  return {
    from: () => from,
    until: () => from + parts.length,
    get: (number) => parts[number - from],
    add(part) {
      const partSize = sizeOf(part)
      parts.push(part)
      sizes.push(partSize)
      size += partSize
    },
    sent(number) {
      for (; sentUntil < number; sentUntil += 1) sentSize += sizes[sentUntil - from] ?? 0
      // Seldom, and then half of it: dropping from the front costs what is behind it.
      if (sentSize < 2 * MAX_ON_ITS_WAY) return
      let count = 0
      for (let left = sentSize; left - (sizes[count] ?? 0) >= MAX_ON_ITS_WAY; count += 1) left -= sizes[count] ?? 0
      drop(count)
    },
    forget: (number) => drop(Math.min(number - from, parts.length)),
    bytes: () => 2 * size + PART_OVERHEAD_BYTES * parts.length,
  }
}

/** Characters and bytes within a value: never more than the value takes on the wire. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 1
  if (value instanceof Uint8Array) return value.byteLength
  let size = 0
  for (const item of Object.values(value)) size += sizeOf(item)
  return size
}
