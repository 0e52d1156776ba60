import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createMeshNode } from '@qmtcode/mesh'
import type { ConfiguredPeer, MeshNode } from '@qmtcode/mesh'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'

const CONNECT_MS = 60_000 // on a busy machine

export interface NodeInit {
  /** Holds its key and what it knows of peers. */
  directory: string
  name: string
  peers?: readonly Pick<ConfiguredPeer, 'name' | 'addr' | 'peerId' | 'role'>[]
  listen?: boolean
}

/** Where a node is reached. */
export interface Place {
  address: string
  peerId: PeerId
}

/** A node of this process, not started: it has its key, and so its peer id. */
export async function makeNode({ directory, name, peers = [], listen = false }: NodeInit): Promise<MeshNode> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return await createMeshNode(
    { clock: systemClock, log: silentLogger },
    {
      identityFile: join(directory, 'mesh_identity.key'),
      knownPeersFile: join(directory, 'known_peers.json'),
      listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [],
      name,
      peers: peers.map((peer) => ({ use: true, labels: [], ...peer })),
      trust: 'known',
      version: '0.0.0',
    },
  )
}

/** Starts a node that dials `host`, and waits until calls can go there. */
export async function joinHost(init: NodeInit, host: Place): Promise<MeshNode> {
  const node = await makeNode({ ...init, peers: [{ name: 'host', addr: host.address, peerId: host.peerId }] })
  const left = new AbortController()
  const timer = setTimeout(() => left.abort(), CONNECT_MS)
  const connected = untilConnected(node, host.peerId, left.signal)
  await node.start()
  await connected
  clearTimeout(timer)
  left.abort()
  return node
}

async function untilConnected(node: MeshNode, peerId: PeerId, signal: AbortSignal): Promise<void> {
  let lastWord = 'nothing'
  for await (const event of node.peers.follow({ signal })) {
    if (event.type === 'peer.connected' && event.peerId === peerId) return
    lastWord = JSON.stringify(event)
  }
  throw new Error(`${node.name} is not connected within ${CONNECT_MS} ms; last heard: ${lastWord}`)
}
