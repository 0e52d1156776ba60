import { quic } from '@chainsafe/libp2p-quic'
import type { Connection, Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'

/** For `stranger`: QUIC beside TCP. */
export const overQuic = (): NonNullable<Libp2pOptions['transports']> => [quic()]

/** One connection more, whatever there is already. */
export const dialAnother = (from: Libp2p, address: string, signal: AbortSignal): Promise<Connection> =>
  from.dial(multiaddr(address), { force: true, signal })
