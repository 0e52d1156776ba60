import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createRpcClient, socketStream } from '@qmtcode/mesh/rpc'
import type { ByteStream, RpcClient } from '@qmtcode/mesh'
import { AppError } from '@qmtcode/protocol'
import { startCutProxy } from '@qmtcode/testing'
import type { CutProxy } from '@qmtcode/testing'

/** Rpc over TCP through a proxy that breaks it, without encryption: every byte is a frame's. */
export interface CutLine extends AsyncDisposable {
  proxy: CutProxy
  rpc: RpcClient
}

/** `accept` takes each stream at the host. */
export async function openCutLine(accept: (stream: ByteStream) => void): Promise<CutLine> {
  await using opening = new AsyncDisposableStack()
  const sockets = new Set<Socket>()
  const listener = createServer((socket) => {
    sockets.add(socket)
    accept(socketStream(socket))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  opening.defer(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  const proxy = opening.use(await startCutProxy({ target: () => (listener.address() as AddressInfo).port }))
  const open = async (): Promise<ByteStream> => {
    const socket = connect(proxy.port, '127.0.0.1')
    try {
      await once(socket, 'connect')
    } catch (cause) {
      throw new AppError('peer_unreachable', 'the line is cut', { cause })
    }
    return socketStream(socket)
  }
  const rpc = createRpcClient({ open })
  opening.defer(() => rpc.stop())
  const opened = opening.move()
  return { proxy, rpc, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
