import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2'
import type { PeerId as Libp2pPeerId, Transport } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '@qmtcode/protocol'
import { guardedRegistrar, overlay } from './overlay.ts'

export interface RelayClient {
  /** A transport of libp2p. */
  make(components: CircuitRelayTransportComponents): Transport
  /** Asks a relay that is connected to hold a place for this node; it is renewed until the connection ends. Rejects if it does not. */
  reserve(relay: PeerId): Promise<void>
  has(relay: PeerId): boolean
}

/** A private field of the transport. Its listeners reserve at the start and never again after the relay was away; here the link's keeper decides. */
interface Reservations {
  addRelay(peerId: Libp2pPeerId, type: 'configured'): Promise<unknown>
  hasReservation(peerId: Libp2pPeerId): boolean
}

const STOP_STREAMS = 512

/** Dials over relays, and lets them bring callers. Only admitted peers are relays here: another one's streams are reset unread. */
export function createRelayClient(components: { isAdmitted(peerId: PeerId): boolean }): RelayClient {
  const make = circuitRelayTransport({ maxInboundStopStreams: STOP_STREAMS, reservationCompletionTimeout: 5_000 })
  let store: Reservations | undefined
  return {
    make(given) {
      const registrar = guardedRegistrar(given.registrar, (stream, connection, accept) =>
        components.isAdmitted(connection.remotePeer.toString() as PeerId) ? accept() : stream.abort(new Error('not admitted')),
      )
      const transport = make(overlay(given, { registrar }))
      store = (transport as unknown as { reservationStore: Reservations }).reservationStore
      return transport
    },
    reserve: async (relay) => {
      await store?.addRelay(peerIdFromString(relay), 'configured')
    },
    has: (relay) => store?.hasReservation(peerIdFromString(relay)) ?? false,
  }
}
