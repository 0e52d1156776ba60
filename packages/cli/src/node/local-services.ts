import type { ServedContract } from '@qmtcode/mesh'
import {
  boardContract,
  boardHandlers,
  diagnosisContract,
  diagnosisHandlers,
  handlersForPeer,
  modelsContract,
  modelsHandlers,
  peerModelsContract,
  peerSessionsContract,
  peersContract,
  peersHandlers,
  routesContract,
  routesHandlers,
  sessionRowsContract,
  sessionRowsHandlers,
  sessionsContract,
  sessionsHandlers,
  trustContract,
  trustHandlers,
} from '@qmtcode/protocol'
import type { Contract, Peers } from '@qmtcode/protocol'
import type { LocalClient } from '../local/local-server.ts'
import type { NodeHandle } from '../node-handle.ts'
import { nodeContract } from './node-contract.ts'
import { personsSessions, personsTrust, personsWorkspaces } from './persons-trust.ts'

const serve = <C extends Contract>(served: ServedContract<C>): ServedContract => served

/** The ports of this node, for its own user's commands. */
export function localServices(handle: NodeHandle, client: LocalClient): ServedContract[] {
  const { peers, trust, diagnosis, board } = handle
  const workspaces = personsWorkspaces(handle.workspaces, client.isTool)
  return [
    serve({
      contract: nodeContract,
      handlers: {
        status: async () => ({ ...(await handle.status()), mesh: peers !== undefined }),
        agents: () => handle.agents(),
        lookAt: async ({ directory }) => await workspaces.look(directory),
        decideOn: async ({ directory, files, decision }) => {
          await workspaces.decide(directory, files, decision)
          return {}
        },
        reserved: (_, { signal }) => handle.reserved({ signal }),
      },
    }),
    serve({ contract: sessionsContract, handlers: sessionsHandlers(personsSessions(handle.sessions, client.isTool)) }),
    serve({ contract: modelsContract, handlers: modelsHandlers(handle.models) }),
    serve({ contract: sessionRowsContract, handlers: sessionRowsHandlers(handle.rows) }),
    serve({ contract: routesContract, handlers: routesHandlers(handle.routes) }),
    ...(peers ? peerServices(peers, client) : []),
    ...(board ? [serve({ contract: boardContract, handlers: boardHandlers(board) })] : []),
    ...(diagnosis ? [serve({ contract: diagnosisContract, handlers: diagnosisHandlers(diagnosis) })] : []),
    ...(trust ? [serve({ contract: trustContract, handlers: trustHandlers(personsTrust(trust, client.isTool)) })] : []),
  ]
}

/** The peers, and what each of them serves this node. */
const peerServices = (peers: Peers, { isTool }: LocalClient): ServedContract[] => [
  serve({ contract: peersContract, handlers: peersHandlers(peers) }),
  serve({
    contract: peerSessionsContract,
    handlers: handlersForPeer(sessionsContract, (peerId) => sessionsHandlers(personsSessions(peers.sessions(peerId), isTool))),
  }),
  serve({ contract: peerModelsContract, handlers: handlersForPeer(modelsContract, (peerId) => modelsHandlers(peers.models(peerId))) }),
]
