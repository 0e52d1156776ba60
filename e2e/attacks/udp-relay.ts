import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'

/** Passes datagrams between whoever sends here first and a port of 127.0.0.1, where they come from `from`: QUIC itself cannot choose that. */
export interface UdpRelay extends AsyncDisposable {
  port: number
}

export async function openUdpRelay(options: { from: string; to: number }): Promise<UdpRelay> {
  const [near, far] = await Promise.all([bound('127.0.0.1'), bound(options.from)])
  let client: { address: string; port: number } | undefined
  near.on('message', (datagram, { address, port }) => {
    client = { address, port }
    far.send(datagram, options.to, '127.0.0.1')
  })
  far.on('message', (datagram) => {
    if (client) near.send(datagram, client.port, client.address)
  })
  return {
    port: near.address().port,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([near, far].map(async (socket) => await new Promise<void>((resolve) => socket.close(resolve))))
    },
  }
}

export async function bound(address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  return socket
}
