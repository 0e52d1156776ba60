import type { Connection, Stream } from '@libp2p/interface'
import { AppError, mayCall, protocolIdOf, silentAudit } from '@qmtcode/protocol'
import type { Audit, Contract, ContractHandlers, Logger, MethodAccess, PeerId } from '@qmtcode/protocol'
import { callerStanding, judged, requireAccess } from './trust/access.ts'
import { meteredStream } from './links/meter.ts'
import type { Meter } from './links/meter.ts'
import type { CallerPeer } from './node-types.ts'
import { libp2pStream } from './rpc/streams/libp2p.ts'
import type { RpcServer } from './rpc/types.ts'
import type { Standing } from './trust/standing.ts'
import type { TrustBook } from './trust/trust-book.ts'

interface Service<C extends Contract = Contract> {
  handlersFor(peer: CallerPeer): ContractHandlers<C>
}

/** What this node serves, to whom `ACCESS` says. */
export interface Services {
  /** Throws internal for a service or method that is not in `ACCESS`, or that is there and not in the contract. */
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
  access: Readonly<Record<string, MethodAccess>>
  handlers: WeakMap<Connection, ContractHandlers<Contract>>
}

export interface ServicesComponents {
  log: Logger
  audit?: Audit
  trust: TrustBook
  server: RpcServer
  meterOf(peerId: PeerId): Meter
  /** See `BanNews.held`. */
  held?(peerId: PeerId): Promise<void> | undefined
}

/** Streams of one connection that were reset for what came on them: one may be a bug, a row of them is none. */
const MAX_BREACHES = 20

/** Others wait for what it tells. */
const FIRST_SERVICE = 'bans'

export function createServices(components: ServicesComponents): Services {
  const { log, audit = silentAudit, trust, server, meterOf } = components
  const entries = new Map<string, Entry>()
  const refused = new WeakSet<Connection>()
  const breaches = new WeakMap<Connection, number>()

  const isAllowed = ({ access }: Entry, standing: Standing): boolean =>
    Object.values(access).some((method) => mayCall(callerStanding(standing), method))
  const callerOf = (peerId: PeerId, entry: Entry): CallerPeer => ({
    peerId,
    name: trust.nameOf(peerId),
    role: () => trust.standing(peerId).role ?? 'observer',
    isAllowed: () => isAllowed(entry, trust.standing(peerId)),
  })
  const handlersFor = (peerId: PeerId, entry: Entry): ContractHandlers<Contract> =>
    judged(entry.service.handlersFor(callerOf(peerId, entry)), {
      service: entry.contract.service,
      access: entry.access,
      peerId,
      standing: () => callerStanding(trust.standing(peerId)),
    })

  function breached(connection: Connection): void {
    const count = (breaches.get(connection) ?? 0) + 1
    breaches.set(connection, count)
    if (count !== MAX_BREACHES) return
    const error = new AppError('bad_request', 'it breaks the protocol again and again')
    const about = { peerId: connection.remotePeer.toString() as PeerId, address: connection.remoteAddr.toString() }
    log.warn('cut a peer that breaks the protocol', { peerId: about.peerId })
    audit.note({ kind: 'refused', direction: 'in', what: 'connection', ...about, outcome: error.code, reason: error.message })
    connection.abort(error)
  }
  return {
    add<C extends Contract>(contract: C, service: Service<C>) {
      entries.set(protocolIdOf(contract), { contract, service, access: requireAccess(contract), handlers: new WeakMap() })
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
        audit.note({
          kind: 'refused',
          direction: 'in',
          what: `stream ${protocolId}`,
          peerId,
          address: connection.remoteAddr.toString(),
          outcome: trust.standing(peerId).state === 'admitted' ? 'forbidden' : 'not_admitted',
        })
        return stream.abort(new Error('not admitted'))
      }
      const bytes = meteredStream(libp2pStream(stream, connection), meterOf(peerId)) // keeps what comes until it is served
      const serve = (): void => {
        if (!isAllowed(entry, trust.standing(peerId))) return bytes.reset(new Error('not admitted'))
        const handlers = entry.handlers.get(connection) ?? handlersFor(peerId, entry)
        entry.handlers.set(connection, handlers)
        server.accept(bytes, { contract: entry.contract, handlers }, { peerId, line: connection, onBreach: () => breached(connection) })
      }
      const held = entry.contract.service === FIRST_SERVICE ? undefined : components.held?.(peerId)
      if (held) held.then(serve).catch((error: unknown) => bytes.reset(error instanceof Error ? error : new Error(String(error))))
      else serve()
    },
  }
}
