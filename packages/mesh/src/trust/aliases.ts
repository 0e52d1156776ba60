import type { PeerId } from '@qmtcode/protocol'
import type { KnownPeersContent } from './known-peers-file.ts'
import { ownRotations } from './rotation.ts'

/** The ids of one node: each key that it gave up signed the next one. */
export interface Aliases {
  /** The id that stands for `peerId` now. */
  latest(peerId: PeerId): PeerId
  /** `peerId` and every id that led to it. */
  all(peerId: PeerId): PeerId[]
  /** When the key was given up, by its own clock: what it signed later is not its owner's. Undefined: it is in use. */
  givenUpAt(peerId: PeerId): number | undefined
  /** Call it after a `movedTo` was written. */
  moved(before: PeerId, after: PeerId): void
}

/** Reads `movedTo` of `content.peers`, and this node's own rotations. */
export function createAliases(content: Pick<KnownPeersContent, 'peers' | 'rotations'>, { self }: { self: PeerId }): Aliases {
  const selves = new Map(ownRotations(content.rotations).map((rotation) => [rotation.before, rotation.at]))
  const before = new Map<PeerId, PeerId[]>()
  const note = (old: PeerId, now: PeerId): void => {
    before.set(now, [...(before.get(now) ?? []), old])
  }
  for (const [id, { movedTo }] of Object.entries(content.peers)) if (movedTo !== undefined) note(id as PeerId, movedTo)

  const next = (peerId: PeerId): PeerId | undefined => (selves.has(peerId) ? self : content.peers[peerId]?.movedTo)
  const earlier = (peerId: PeerId): PeerId[] =>
    peerId === self ? [...selves.keys()] : (before.get(peerId) ?? []).filter((old) => content.peers[old]?.movedTo === peerId)
  return {
    latest(peerId) {
      if (next(peerId) === undefined) return peerId
      const passed = new Set([peerId])
      let id = peerId
      for (let to = next(id); to !== undefined && !passed.has(to); to = next(id)) {
        passed.add(to)
        id = to
      }
      return id
    },
    all(peerId) {
      if (peerId !== self && !before.has(peerId)) return [peerId]
      const ids = new Set([peerId])
      for (const id of ids) for (const old of earlier(id)) ids.add(old)
      return [...ids]
    },
    givenUpAt: (peerId) => selves.get(peerId) ?? content.peers[peerId]?.movedAt,
    moved: note,
  }
}
