import { join } from 'node:path'
import type { MeshNode } from '@qmtcode/mesh'
import { joinHost, makeNode } from '../support/mesh.ts'
import type { Place } from '../support/mesh.ts'
import { serveRole } from '../support/role.ts'

interface Crowd {
  directory: string
  count: number
}

let nodes: MeshNode[] = []
const peersOf = ({ directory, count }: Crowd) =>
  Array.from({ length: count }, (_, index) => ({ directory: join(directory, String(index)), name: `peer-${index}` }))

/** Peers that are connected and do nothing. */
serveRole({
  identities: async (crowd: Crowd) => {
    const made = await Promise.all(peersOf(crowd).map(makeNode))
    return made.map((node) => node.peerId)
  },
  /** Resolves when all are connected. */
  connect: async ({ host, ...crowd }: Crowd & { host: Place }) => {
    nodes = await Promise.all(peersOf(crowd).map((init) => joinHost(init, host)))
  },
  leave: async () => {
    await Promise.all(nodes.map((node) => node.stop()))
  },
})
