import type { PeerId } from '@qmtcode/protocol'
import { sameStanding } from './standing.ts'
import type { Standing } from './standing.ts'

/** Finds whose standing a change, or time alone, made another. */
export interface StandingWatch {
  /** Makes a change, and tells whose standing it changed. */
  during<Value>(change: () => Value, of?: ChangeOf): Value
  /** Tells whose standing changed since it was last looked at. */
  review(): void
}

interface ChangeOf {
  /** The peer that is changed, with what follows for those that came in by it. Default: it may be anybody. */
  about?: PeerId
  /** Told in any case. */
  forgotten?: boolean
}

export interface StandingWatchComponents {
  standing(peerId: PeerId): Standing
  /** Of a peer of which nothing is known. */
  nobody: Standing
  known(): PeerId[]
  concerns(peerId: PeerId): PeerId[]
  tell(peerId: PeerId, change: { before: Standing; after: Standing; forgotten: boolean }): void
}

export function createStandingWatch({ standing, nobody, known, concerns, tell }: StandingWatchComponents): StandingWatch {
  let seen = new Map<PeerId, Standing>()
  function look(peerId: PeerId): Standing {
    const found = standing(peerId)
    if (sameStanding(found, nobody)) seen.delete(peerId)
    else seen.set(peerId, found)
    return found
  }
  function compare(ids: Iterable<PeerId>, was: ReadonlyMap<PeerId, Standing>, forgotten?: PeerId): void {
    for (const peerId of new Set(ids)) {
      const before = was.get(peerId) ?? seen.get(peerId) ?? nobody
      const after = look(peerId)
      if (peerId === forgotten || !sameStanding(before, after)) tell(peerId, { before, after, forgotten: peerId === forgotten })
    }
  }
  for (const peerId of known()) look(peerId)
  return {
    during(change, { about, forgotten = false } = {}) {
      const ids = (): PeerId[] => (about === undefined ? known() : concerns(about))
      const first = ids()
      const was = new Map(first.map((peerId) => [peerId, standing(peerId)]))
      const value = change()
      compare([...first, ...ids()], was, forgotten ? about : undefined)
      return value
    },
    review() {
      const was = seen
      seen = new Map()
      compare([...was.keys(), ...known()], was)
    },
  }
}
