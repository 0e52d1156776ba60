import { join } from 'node:path'
import type { MeshNode } from '@qmtcode/mesh'
import type { PeerId } from '@qmtcode/protocol'
import { joinHost, makeNode } from '../support/mesh.ts'
import type { Place } from '../support/mesh.ts'
import { serveRole } from '../support/role.ts'

interface Crowd {
  directory: string
  count: number
}

const nodes: MeshNode[] = []
let hostId: PeerId | undefined
const peersOf = ({ directory, count }: Crowd) =>
  Array.from({ length: count }, (_, index) => ({ directory: join(directory, String(index)), name: `peer-${index}` }))

/** Peers that are connected and do nothing, unless they are told to. */
serveRole({
  identities: async (crowd: Crowd) => {
    const made = await Promise.all(peersOf(crowd).map(makeNode))
    return made.map((node) => node.peerId)
  },
  /** Resolves when all are connected. */
  connect: async ({ host, ...crowd }: Crowd & { host: Place }) => {
    hostId = host.peerId
    for (const init of peersOf(crowd)) nodes.push(await joinHost(init, host)) // one by one: dials have deadlines
  },
  /** How many of them have a live link to the host. */
  connected: async () => {
    const lists = await Promise.all(nodes.map((node) => node.peers.list()))
    return lists.filter((peers) => peers.some(({ peerId, state }) => peerId === hostId && state === 'connected')).length
  },
  /** So many calls of one of them at the same time. Resolves when all are answered. */
  burst: async ({ calls }: { calls: number }) => {
    const [node] = nodes
    if (!node || !hostId) throw new Error('nobody is connected')
    const models = node.peers.models(hostId)
    await Promise.all(Array.from({ length: calls }, () => models.offers()))
  },
  leave: async () => {
    await Promise.all(nodes.splice(0).map((node) => node.stop()))
  },
})
