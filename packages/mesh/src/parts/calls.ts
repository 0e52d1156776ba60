import type { PeerId } from '@qmtcode/protocol'
import type { LinksComponents } from '../links/links.ts'
import { meteredStream } from '../links/meter.ts'
import { createRpcClient } from '../rpc/client.ts'
import type { EndedCall } from '../rpc/types.ts'
import { libp2pStream } from '../rpc/streams/libp2p.ts'
import type { PartsComponents, TrustParts } from './parts.ts'

const MAX_OUTBOUND_STREAMS = 4_096

/** Calls over one connection: counted, noted, and bounded as the configuration says of the peer. */
export function createCalls(
  { clock, log, options }: PartsComponents,
  { trust, noteCall }: Pick<TrustParts, 'trust' | 'noteCall'>,
): LinksComponents['rpcFor'] {
  return (connection, meter) => {
    const peerId = connection.remotePeer.toString() as PeerId
    const peer = trust.pins.configuredAs(peerId)
    const requestTimeoutMs = peer?.requestTimeoutSecs === undefined ? options.requestTimeoutMs : peer.requestTimeoutSecs * 1_000
    const open = async (protocolId: string, { signal }: { signal: AbortSignal }) => {
      const stream = await connection.newStream(protocolId, {
        signal,
        maxOutboundStreams: MAX_OUTBOUND_STREAMS,
        runOnLimitedConnection: true,
      })
      return meteredStream(libp2pStream(stream, connection), meter)
    }
    const onCall = (call: EndedCall): void => noteCall('out', peerId, call)
    return createRpcClient({ open, clock, log: log.child('rpc'), onCall }, { requestTimeoutMs })
  }
}
