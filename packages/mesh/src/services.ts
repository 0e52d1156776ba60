import type { Connection, Stream } from '@libp2p/interface'
import { protocolIdOf, roleIncludes } from '@qmtcode/protocol'
import type { Contract, ContractHandlers, Logger, PeerId, Role } from '@qmtcode/protocol'
import { meteredStream } from './links/meter.ts'
import type { Meter } from './links/meter.ts'
import type { CallerPeer } from './node-types.ts'
import { libp2pStream } from './rpc/streams/libp2p.ts'
import type { RpcServer } from './rpc/types.ts'
import type { Standing } from './trust/standing.ts'
import type { TrustBook } from './trust/trust-book.ts'

interface Service<C extends Contract = Contract> {
  role: Role
  whenOpen?: boolean
  handlersFor(peer: CallerPeer): ContractHandlers<C>
}

/** What this node serves, and to whom. */
export interface Services {
  add<C extends Contract>(contract: C, service: Service<C>): void
  /** Names of the services that a peer of this standing may call. */
  allowedTo(standing: Standing): string[]
  protocolIds(): string[]
  /** Takes a stream that a peer opened, or resets it before anything of it is read. */
  accept(protocolId: string, stream: Stream, connection: Connection): void
}

interface Entry {
  contract: Contract
  service: Service
  handlers: WeakMap<Connection, ContractHandlers<Contract>>
}

export function createServices(components: { log: Logger; trust: TrustBook; server: RpcServer; meterOf(peerId: PeerId): Meter }): Services {
  const { log, trust, server, meterOf } = components
  const entries = new Map<string, Entry>()
  const refused = new WeakSet<Connection>()

  const isAllowed = ({ service }: Entry, standing: Standing): boolean =>
    (standing.state === 'admitted' && roleIncludes(standing.role, service.role)) || (standing.open && service.whenOpen === true)
  const callerOf = (peerId: PeerId, entry: Entry): CallerPeer => ({
    peerId,
    name: trust.nameOf(peerId),
    role: () => trust.standing(peerId).role ?? 'observer',
    isAllowed: () => isAllowed(entry, trust.standing(peerId)),
  })

  return {
    add<C extends Contract>(contract: C, service: Service<C>) {
      entries.set(protocolIdOf(contract), { contract, service, handlers: new WeakMap() })
    },
    allowedTo: (standing) => [...entries.values()].filter((entry) => isAllowed(entry, standing)).map(({ contract }) => contract.service),
    protocolIds: () => [...entries.keys()],
    accept(protocolId, stream, connection) {
      const peerId = connection.remotePeer.toString() as PeerId
      const entry = entries.get(protocolId)
      if (!entry || !isAllowed(entry, trust.standing(peerId))) {
        // Once a connection: whoever is refused chooses how often.
        if (!refused.has(connection)) log.info('refused a stream', { peerId, protocolId })
        refused.add(connection)
        return stream.abort(new Error('not admitted'))
      }
      const handlers = entry.handlers.get(connection) ?? entry.service.handlersFor(callerOf(peerId, entry))
      entry.handlers.set(connection, handlers)
      server.accept(meteredStream(libp2pStream(stream, connection), meterOf(peerId)), { contract: entry.contract, handlers }, { peerId })
    },
  }
}
