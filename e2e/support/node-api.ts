import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { peersContract, peersOverRpc, sessionsContract, sessionsOverRpc, trustContract, trustOverRpc } from '@qmtcode/protocol'
import type { Load, Peers, Sessions, Trust } from '@qmtcode/protocol'
import { connectLocal } from '../../packages/cli/src/local/local-client.ts'
import { nodeFileSchema } from '../../packages/cli/src/local/home-lock.ts'
import type { Machine } from './qmt.ts'

/** The running node of a machine, over its socket, as a second qmtcode would reach it: without the time of a process. */
export interface NodeApi extends AsyncDisposable {
  sessions: Sessions
  peers: Peers
  trust: Trust
  /** What it runs now. */
  load(): Promise<Load>
}

export async function openNodeApi(machine: Machine): Promise<NodeApi> {
  const { socket } = nodeFileSchema.parse(JSON.parse(await readFile(join(machine.home, 'node.json'), 'utf8')))
  const rpc = connectLocal(socket)
  const peers = peersOverRpc(rpc.client(peersContract))
  return {
    sessions: sessionsOverRpc(rpc.client(sessionsContract)),
    peers,
    trust: trustOverRpc(rpc.client(trustContract)),
    async load() {
      const self = (await peers.list()).find((peer) => peer.self)
      if (!self) throw new Error('a node lists itself first')
      return self.load
    },
    [Symbol.asyncDispose]: () => Promise.resolve(rpc.stop()),
  }
}
