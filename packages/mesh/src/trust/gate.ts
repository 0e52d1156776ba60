import type { ConnectionGater } from '@libp2p/interface'
import type { Clock, PeerId } from '@qmtcode/protocol'
import { hostKey } from '../addresses/multiaddrs.ts'
import { createRateWindow } from './rate-window.ts'
import type { TrustBook } from './trust-book.ts'

const UNKNOWN_PER_ADDRESS = 5 // a second
const UNKNOWN_IN_ALL = 20

/** Who gets a connection: no banned peer either way, and unknown ones at a bounded rate. Decided on authenticated ids. */
export function createGate(components: { clock: Clock; trust: TrustBook }): ConnectionGater {
  const { trust } = components
  const perAddress = createRateWindow(components, { limit: UNKNOWN_PER_ADDRESS, windowMs: 1_000 })
  const inAll = createRateWindow(components, { limit: UNKNOWN_IN_ALL, windowMs: 1_000 })
  return {
    denyInboundEncryptedConnection(peerId, { remoteAddr }) {
      const { state } = trust.standing(peerId.toString() as PeerId)
      if (state === 'unknown') return !perAddress.take(hostKey(remoteAddr)) || !inAll.take('')
      return state === 'banned'
    },
    denyOutboundEncryptedConnection: (peerId) => trust.standing(peerId.toString() as PeerId).state === 'banned',
  }
}
