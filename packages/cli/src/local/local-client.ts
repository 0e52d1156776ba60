import { once } from 'node:events'
import { connect } from 'node:net'
import { createRpcClient, socketStream } from '@qmtcode/mesh/rpc'
import type { ByteStream, RpcClient } from '@qmtcode/mesh/rpc'
import { AppError, systemClock } from '@qmtcode/protocol'
import { prefaceOf } from './preface.ts'

/** Calls to the node of this QMT_HOME. */
export function connectLocal(socketPath: string): RpcClient {
  const open = async (protocolId: string, options: { signal?: AbortSignal } = {}): Promise<ByteStream> => {
    const socket = connect(socketPath)
    try {
      await once(socket, 'connect', { signal: options.signal })
    } catch (cause) {
      socket.destroy()
      throw new AppError('peer_unreachable', `cannot reach the running qmtcode at ${socketPath}: ${(cause as Error).message}`, { cause })
    }
    socket.write(prefaceOf(protocolId))
    return socketStream(socket)
  }
  return createRpcClient({ open, clock: systemClock })
}
