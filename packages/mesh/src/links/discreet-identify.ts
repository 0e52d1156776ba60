import { identify } from '@libp2p/identify'
import type { Identify, IdentifyComponents } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'
import { HANDSHAKE_PROTOCOL } from '../handshake/hello.ts'
import { PING_PROTOCOL } from './ping.ts'

export const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0'
const TIMEOUT_MS = 5_000
/** What unknown peers may open, and all that they are told of. */
const SHOWN_TO_STRANGERS: readonly string[] = [IDENTIFY_PROTOCOL, PING_PROTOCOL, HANDSHAKE_PROTOCOL]

export interface DiscreetIdentifyOptions {
  /** Asked at each request. */
  isTrusted(connection: Connection): boolean
}

/** What answers a request; it is registered at start. */
interface Answering {
  handleProtocol(stream: Stream, connection: Connection): Promise<void>
}

/** libp2p's identify, that tells unknown peers nothing of this machine's addresses and of what others may open here. */
export function discreetIdentify({ isTrusted }: DiscreetIdentifyOptions): (components: IdentifyComponents) => Identify {
  return (components) => {
    const service = identify({ timeout: TIMEOUT_MS })(components) as Identify & Answering
    const discreet = identify({ timeout: TIMEOUT_MS, runOnConnectionOpen: false })(withoutSecrets(components)) as Identify & Answering
    const { handleProtocol } = service
    service.handleProtocol = async (stream, connection) =>
      isTrusted(connection) ? await handleProtocol(stream, connection) : await discreet.handleProtocol(stream, connection)
    return service
  }
}

/** Whether this is all that the other side told: it does not admit this node, or is none of ours. */
export const isDiscreet = (protocols: readonly string[]): boolean => protocols.every((protocol) => SHOWN_TO_STRANGERS.includes(protocol))

/** The library reads what it tells from its surroundings: here they know three protocols and no address. */
function withoutSecrets(components: IdentifyComponents): IdentifyComponents {
  const { peerId, privateKey, peerStore, registrar, events, logger, nodeInfo } = components
  const told = { getAddresses: () => [] }
  const self = {
    get: async (...asked: Parameters<typeof peerStore.get>) => ({
      ...(await peerStore.get(...asked)),
      protocols: [...SHOWN_TO_STRANGERS],
      peerRecordEnvelope: undefined,
    }),
  }
  return {
    peerId,
    privateKey,
    registrar,
    events,
    logger,
    nodeInfo,
    peerStore: self as unknown as IdentifyComponents['peerStore'],
    addressManager: told as unknown as IdentifyComponents['addressManager'],
  }
}
