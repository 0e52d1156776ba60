import { toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import { createRateWindow } from '../trust/rate-window.ts'
import { createAllowance } from './allowance.ts'
import type { Allowance } from './allowance.ts'
import { isSigned, isTooLarge } from './entry.ts'
import { ownerOf } from './owner.ts'
import type { GossipEntry, GossipSet, GossipStats } from './types.ts'

/** Where entries of others come in: what is not its author's own word, or too much, ends here. */
export interface Intake {
  /** Never throws. `news` is in the set now; what is refused is counted. */
  take(set: GossipSet, entry: GossipEntry, from: PeerId): Promise<'news' | 'known' | 'refused'>
  /** Whether `from` may push so much now. */
  mayPush(from: PeerId, entries: readonly GossipEntry[]): boolean
  /** How long a pull from `from` waits before its next entry. */
  pauseFor(from: PeerId, entry: GossipEntry): number
  /** It sent what no honest node sends, too often: nothing is taken from it for a minute. */
  isMuted(from: PeerId): boolean
  refuse(why: keyof GossipStats['refused'], from: PeerId, what: Record<string, unknown>): void
  readonly refused: GossipStats['refused']
}

// A node that comes back to a mesh of full sets is behind by 10,000 entries and some megabytes, once.
const ENTRIES = { perSecond: 500, burst: 12_000 }
const BYTES = { perSecond: 2_097_152, burst: 33_554_432 }
/** A pull waits for its allowance; a push that is beyond it is refused, and healed by a pull. */
const MAX_PAUSE_MS = 1_000
const STRIKES = { limit: 20, windowMs: 60_000 }
const MUTED_MS = 60_000

export function createIntake(components: {
  clock: Clock
  log: Logger
  isBanned(peerId: PeerId): boolean
  onSigned(author: PeerId, from: PeerId): void
}): Intake {
  const { clock, log, isBanned, onSigned } = components
  const refused = { forged: 0, tooLarge: 0, tooMany: 0, banned: 0, malformed: 0 }
  const allowances = new Map<PeerId, { entries: Allowance; bytes: Allowance }>()
  const strikes = createRateWindow({ clock }, STRIKES)
  const told = createRateWindow({ clock }, { limit: 1, windowMs: 10_000 })
  const muted = new Map<PeerId, number>()

  function allowanceOf(from: PeerId): { entries: Allowance; bytes: Allowance } {
    const known = allowances.get(from)
    if (known) return known
    const made = { entries: createAllowance({ clock }, ENTRIES), bytes: createAllowance({ clock }, BYTES) }
    allowances.set(from, made)
    return made
  }
  function refuse(why: keyof GossipStats['refused'], from: PeerId, what: Record<string, unknown>): void {
    refused[why] += 1
    if (told.take(`${from} ${why}`)) log.warn('refused gossip', { from, why, ...what, so: refused[why] })
    // A ban here, or a full set, is not the messenger's fault.
    if ((why === 'forged' || why === 'malformed' || why === 'tooLarge') && !strikes.take(from))
      muted.set(from, clock.monotonic() + MUTED_MS)
  }
  async function take(set: GossipSet, entry: GossipEntry, from: PeerId): Promise<'news' | 'known' | 'refused'> {
    const { key, author } = entry
    const refuseIt = (why: keyof GossipStats['refused'], error?: string): 'refused' => {
      refuse(why, from, { set: set.name, key, error })
      return 'refused'
    }
    if (isTooLarge(entry)) return refuseIt('tooLarge')
    if (ownerOf(key) !== author) return refuseIt('forged')
    if (isBanned(author)) return refuseIt('banned')
    if (!set.wants(key, entry.version)) return 'known'
    if (!(await isSigned(set.name, entry))) return refuseIt('forged')
    onSigned(author, from)
    try {
      return await set.merge(entry, from)
    } catch (error) {
      const { code, message } = toAppError(error)
      return refuseIt(code === 'busy' ? 'tooMany' : 'malformed', message)
    }
  }
  return {
    take,
    refuse,
    refused,
    mayPush(from, entries) {
      const { entries: count, bytes } = allowanceOf(from)
      return count.take(entries.length) && bytes.take(entries.reduce((sum, entry) => sum + sizeOf(entry), 0))
    },
    pauseFor(from, entry) {
      const { entries: count, bytes } = allowanceOf(from)
      if (count.take(1) && bytes.take(sizeOf(entry))) return 0
      return Math.min(MAX_PAUSE_MS, Math.max(count.waitFor(1), bytes.waitFor(sizeOf(entry))))
    },
    isMuted(from) {
      const until = muted.get(from)
      if (until === undefined) return false
      if (until > clock.monotonic()) return true
      muted.delete(from)
      return false
    },
  }
}

const ENVELOPE_BYTES = 300
export const sizeOf = (entry: GossipEntry): number => entry.payload.length + ENVELOPE_BYTES
