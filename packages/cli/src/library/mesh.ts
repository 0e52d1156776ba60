import type { PeerId, PeerInfo, Peers } from '@qmtcode/protocol'

/** The mesh as this node sees it. */
export interface Mesh {
  peerId(): PeerId
  /** Real, dialable multiaddrs with `/p2p`. */
  listenAddresses(): string[]
  /** Peers with a connection now; `all`: every known one. */
  connectedPeers(options?: { all?: boolean }): Promise<RemoteNode[]>
}

export interface RemoteNode extends PeerInfo {}

export async function createMesh(peers: Peers): Promise<Mesh> {
  const { peerId, listenAddresses } = await peers.status()
  return {
    peerId: () => peerId,
    listenAddresses: () => [...listenAddresses],
    connectedPeers: async ({ all = false } = {}) => {
      const others = (await peers.list()).filter((peer) => !peer.self)
      return all ? others : others.filter((peer) => peer.state === 'connected' || peer.state === 'suspect')
    },
  }
}
