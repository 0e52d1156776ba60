import { AsyncLocalStorage } from 'node:async_hooks'
import { RELAY_V2_STOP_CODEC, circuitRelayServer } from '@libp2p/circuit-relay-v2'
import type { CircuitRelayServerComponents, CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Connection } from '@libp2p/interface'
import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import { guardedRegistrar, overlay } from './overlay.ts'
import { RELAY_QUOTAS, createRelayLedger } from './relay-quotas.ts'
import type { Circuit, RelayQuotas } from './relay-quotas.ts'

export interface RelayServer {
  /** A service of libp2p. */
  make(components: CircuitRelayServerComponents): CircuitRelayService
  status(): { reservations: number; circuits: number }
}

const MAX_RESERVATIONS = 512
const MAX_STREAMS = 1_024 // of a connection; what one peer may have is in its quota
const HOP_TIMEOUT_MS = 10_000

/** Relays between admitted peers; everybody else's streams are reset unread. What passes is encrypted between them. */
export function createRelayServer(
  components: { clock: Clock; log: Logger; isAdmitted(peerId: PeerId): boolean },
  quotas: RelayQuotas = RELAY_QUOTAS,
): RelayServer {
  const { log, isAdmitted } = components
  const ledger = createRelayLedger(components, quotas)
  const current = new AsyncLocalStorage<Circuit>()
  const server = circuitRelayServer({
    hopTimeout: HOP_TIMEOUT_MS,
    reservations: { applyDefaultLimit: false, maxReservations: MAX_RESERVATIONS }, // the default is 128 KiB in two minutes
    maxInboundHopStreams: MAX_STREAMS,
    maxOutboundStopStreams: MAX_STREAMS,
  })
  let service: CircuitRelayService | undefined

  /** The relay opens a stream to the one that is called: that is the circuit's other half. */
  const observed = (connection: Connection): Connection =>
    new Proxy(connection, {
      get(target, key) {
        const value = Reflect.get(target, key) as unknown
        if (key !== 'newStream') return typeof value === 'function' ? (value.bind(target) as unknown) : value
        const newStream: Connection['newStream'] = async (protocols, options) => {
          const stream = await target.newStream(protocols, options)
          if (protocols === RELAY_V2_STOP_CODEC) current.getStore()?.join(stream)
          return stream
        }
        return newStream
      },
    })
  return {
    make(given) {
      const { connectionManager } = given
      const registrar = guardedRegistrar(given.registrar, (stream, connection, accept) => {
        const peerId = connection.remotePeer.toString() as PeerId
        if (!isAdmitted(peerId)) return stream.abort(new Error('not admitted'))
        try {
          return current.run(ledger.open(peerId, stream), accept)
        } catch (error) {
          log.info('not relayed', { peerId, error: String(error) })
          stream.abort(error instanceof Error ? error : new Error(String(error)))
        }
      })
      const getConnections: typeof connectionManager.getConnections = (peerId) => connectionManager.getConnections(peerId).map(observed)
      service = server(overlay(given, { registrar, connectionManager: overlay(connectionManager, { getConnections }) }))
      return service
    },
    status: () => ({ reservations: service?.reservations.size ?? 0, circuits: ledger.circuits() }),
  }
}
