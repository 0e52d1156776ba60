import type { RpcClient } from '@qmtcode/mesh'
import {
  modelsContract,
  modelsOverRpc,
  peersContract,
  peersOverRpc,
  routesContract,
  routesOverRpc,
  sessionsContract,
  sessionsOverRpc,
  trustContract,
  trustOverRpc,
} from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { nodeContract } from './node-contract.ts'

/** The running node of this QMT_HOME, over its socket. */
export async function remoteHandle(rpc: RpcClient): Promise<NodeHandle> {
  const node = rpc.client(nodeContract)
  const { mesh } = await node.status({})
  return {
    sessions: sessionsOverRpc(rpc.client(sessionsContract)),
    models: modelsOverRpc(rpc.client(modelsContract)),
    ...(mesh && { peers: peersOverRpc(rpc.client(peersContract)), trust: trustOverRpc(rpc.client(trustContract)) }),
    routes: await routesOverRpc(rpc.client(routesContract)),
    agents: () => node.agents({}),
    status: () => node.status({}),
    close: () => Promise.resolve(rpc.stop()),
  }
}
