import type { ServedContract } from '@qmtcode/mesh'
import {
  modelsContract,
  modelsHandlers,
  peersContract,
  peersHandlers,
  routesContract,
  routesHandlers,
  sessionsContract,
  sessionsHandlers,
  trustContract,
  trustHandlers,
} from '@qmtcode/protocol'
import type { Contract } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { nodeContract } from './node-contract.ts'

const serve = <C extends Contract>(served: ServedContract<C>): ServedContract => served

/** The ports of this node, for its own user's commands. */
export function localServices(handle: NodeHandle): ServedContract[] {
  const { peers, trust } = handle
  return [
    serve({
      contract: nodeContract,
      handlers: {
        status: async () => ({ ...(await handle.status()), mesh: peers !== undefined }),
        agents: () => handle.agents(),
      },
    }),
    serve({ contract: sessionsContract, handlers: sessionsHandlers(handle.sessions) }),
    serve({ contract: modelsContract, handlers: modelsHandlers(handle.models) }),
    serve({ contract: routesContract, handlers: routesHandlers(handle.routes) }),
    ...(peers ? [serve({ contract: peersContract, handlers: peersHandlers(peers) })] : []),
    ...(trust ? [serve({ contract: trustContract, handlers: trustHandlers(trust) })] : []),
  ]
}
