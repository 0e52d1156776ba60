import { resumingSessions } from '@qmtcode/protocol'
import type { PeerId, Peers } from '@qmtcode/protocol'

/** `peers`, with sessions that outlive their link. Calls of models do so where they are routed. */
export function resumingPeers(peers: Peers, graceMs: number): Peers {
  const nameOf = async (peerId: PeerId): Promise<string> => (await peers.list()).find((peer) => peer.peerId === peerId)?.name ?? peerId
  return {
    ...peers,
    sessions: (peerId) => resumingSessions(peers.sessions(peerId), { peerId, nodeName: () => nameOf(peerId), graceMs }),
  }
}
