import type { ContractClient, ContractHandlers } from '../contract.ts'
import { AppError } from '../errors.ts'
import type { PeerId } from '../ids.ts'
import type { Models } from '../models.ts'
import type { Peers, peersContract } from '../peers.ts'
import type { Sessions } from '../sessions.ts'
import { endCleanly } from './clean-end.ts'

/** A peer's own ports, through the node behind the client. */
export interface PeerPorts {
  sessions(peerId: PeerId): Sessions
  models(peerId: PeerId): Models
}

/** The peers of the node behind `client`. Without `ports`, of a peer's own ports only `models(peer).offers()` is reached this way: the rest throws unsupported. */
export function peersOverRpc(client: ContractClient<typeof peersContract>, ports?: PeerPorts): Peers {
  const offersOnly = (peerId: PeerId): Models => ({
    offers: async (options) => client.offers({ peerId }, options),
    stream: () => refuse('models of a peer'),
  })
  return {
    status: async () => client.status({}),
    list: async () => client.list({}),
    resolve: async (name) => client.resolve({ name }),
    sessions: (peerId): Sessions => ports?.sessions(peerId) ?? refuse('sessions of a peer'),
    models: (peerId) => ports?.models(peerId) ?? offersOnly(peerId),
    follow: ({ signal } = {}) => endCleanly(client.follow({}, { signal }), signal),
  }
}

export function peersHandlers(peers: Peers): ContractHandlers<typeof peersContract> {
  return {
    status: async () => peers.status(),
    list: async () => peers.list(),
    resolve: async ({ name }) => peers.resolve(name),
    follow: (_input, { signal }) => peers.follow({ signal }),
    offers: async ({ peerId }, { signal }) => peers.models(peerId).offers({ signal }),
  }
}

function refuse(what: string): never {
  throw new AppError('unsupported', `${what} cannot be reached through another process of this machine`, {
    hint: 'prompt a session of the local node instead: it routes to the peer',
  })
}
