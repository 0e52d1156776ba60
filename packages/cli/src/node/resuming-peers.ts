import { createFollowedSessions, resumingSessions } from '@qmtcode/protocol'
import type { FollowedSessions, PeerId, Peers } from '@qmtcode/protocol'

/** `peers`, with sessions that outlive their link. Calls of models do so where they are routed. */
export function resumingPeers(peers: Peers, graceMs: number): Peers {
  const nameOf = async (peerId: PeerId): Promise<string> => (await peers.list()).find((peer) => peer.peerId === peerId)?.name ?? peerId
  const followed = new Map<PeerId, FollowedSessions>() // shared by all who use a peer's sessions through this node
  const followedOf = (peerId: PeerId): FollowedSessions => {
    const found = followed.get(peerId) ?? createFollowedSessions()
    followed.set(peerId, found)
    return found
  }
  return {
    ...peers,
    sessions: (peerId) =>
      resumingSessions(peers.sessions(peerId), {
        peerId,
        nodeName: () => nameOf(peerId),
        graceMs,
        followed: followedOf(peerId),
      }),
  }
}
