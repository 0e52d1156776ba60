import { join } from 'node:path'
import type { MeshNode } from '@qmtcode/mesh'
import type { PeerId } from '@qmtcode/protocol'
import { machineMs } from '../support/clock.ts'
import { makeNode } from '../support/mesh.ts'
import type { NodeInit } from '../support/mesh.ts'
import { serveRole } from '../support/role.ts'

const nodes: MeshNode[] = []
const initOf = (directory: string, index: number): NodeInit => ({
  directory: join(directory, String(index)),
  name: `node-${index}`,
  listen: true,
})

/** Nodes that hold each other as members. */
serveRole({
  identity: async ({ directory, index }: { directory: string; index: number }) => (await makeNode(initOf(directory, index))).peerId,
  /** Resolves with its address. */
  start: async ({ directory, index, peers }: { directory: string; index: number; peers: NodeInit['peers'] }) => {
    const node = await makeNode({ ...initOf(directory, index), peers })
    nodes.push(node)
    const { listenAddresses } = await node.start()
    return listenAddresses[0] ?? ''
  },
  /** Resolves when each of them has the records of so many nodes beside itself. */
  know: async ({ others }: { others: number }) => {
    await Promise.all(nodes.map((node) => until(node, async () => (await node.peers.list()).filter(hasRecord).length >= others)))
  },
  /** Resolves with the times, by the machine's clock, at which each of them has seen that `peerId` tells of so many sessions. */
  seen: async ({ peerId, sessions }: { peerId: PeerId; sessions: number }): Promise<number[]> => {
    const others = nodes.filter((node) => node.peerId !== peerId)
    const seenBy = async (node: MeshNode): Promise<number> => {
      await until(node, async () => (await node.peers.list()).some((peer) => peer.peerId === peerId && peer.sessions === sessions))
      return machineMs()
    }
    return await Promise.all(others.map(seenBy))
  },
  /** A call to this role that is made after another was taken up when this is answered. */
  ready: () => true,
  /** Resolves with the time at which it was said. */
  say: ({ peerId, sessions }: { peerId: PeerId; sessions: number }) => {
    const node = nodes.find((each) => each.peerId === peerId)
    if (!node) throw new Error(`no node ${peerId} here`)
    const at = machineMs()
    node.advertise({ models: [], agents: [], labels: [], sessions })
    return at
  },
})

const hasRecord = ({ self, hasRecord: has }: { self: boolean; hasRecord?: boolean }): boolean => !self && has === true

async function until(node: MeshNode, isSo: () => Promise<boolean>): Promise<void> {
  const events = node.peers.follow() // from here on nothing is missed
  if (await isSo()) return
  for await (const _ of events) if (await isSo()) return
}
