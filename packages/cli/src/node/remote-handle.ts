import type { RpcClient } from '@qmtcode/mesh'
import {
  boardContract,
  boardOverRpc,
  clientForPeer,
  diagnosisContract,
  diagnosisOverRpc,
  endCleanly,
  modelsContract,
  modelsOverRpc,
  peerModelsContract,
  peerSessionsContract,
  peersContract,
  peersOverRpc,
  routesContract,
  routesOverRpc,
  sessionRowsContract,
  sessionRowsOverRpc,
  sessionsContract,
  sessionsOverRpc,
  trustContract,
  trustOverRpc,
} from '@qmtcode/protocol'
import type { PeerPorts } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { nodeContract } from './node-contract.ts'

/** The running node of this QMT_HOME, over its socket. */
export async function remoteHandle(rpc: RpcClient): Promise<NodeHandle> {
  const node = rpc.client(nodeContract)
  const { mesh } = await node.status({}).catch((error: unknown) => {
    rpc.stop()
    throw error
  })
  return {
    sessions: sessionsOverRpc(rpc.client(sessionsContract)),
    models: modelsOverRpc(rpc.client(modelsContract)),
    rows: sessionRowsOverRpc(rpc.client(sessionRowsContract)),
    ...(mesh && {
      peers: peersOverRpc(rpc.client(peersContract), peerPorts(rpc)),
      trust: trustOverRpc(rpc.client(trustContract)),
      diagnosis: diagnosisOverRpc(rpc.client(diagnosisContract)),
      board: boardOverRpc(rpc.client(boardContract)),
    }),
    routes: await routesOverRpc(rpc.client(routesContract)),
    agents: () => node.agents({}),
    workspaces: {
      look: async (directory) => await node.lookAt({ directory }),
      decide: async (directory, files, decision) => {
        await node.decideOn({ directory, files: files.map(({ path, print }) => ({ path, print })), decision })
      },
    },
    reserved: ({ signal } = {}) => endCleanly(node.reserved({}, { signal }), signal),
    status: () => node.status({}),
    close: () => Promise.resolve(rpc.stop()),
  }
}

/** What the peers of that node serve it, it serves on. */
function peerPorts(rpc: RpcClient): PeerPorts {
  const [sessions, models] = [rpc.client(peerSessionsContract), rpc.client(peerModelsContract)]
  return {
    sessions: (peerId) => sessionsOverRpc(clientForPeer(sessionsContract, sessions, peerId)),
    models: (peerId) => modelsOverRpc(clientForPeer(modelsContract, models, peerId)),
  }
}
