import { createSocket } from 'node:dgram'
import type { Endpoint } from './stun-message.ts'

/** A UDP socket over IPv4. What cannot be sent is dropped, as the network may do it anyway. */
export interface UdpSocket {
  readonly local: Endpoint
  /** Once connected, `to` is where it is connected to. */
  send(bytes: Uint8Array, to?: Endpoint): void
  /** Replaces the receiver before. */
  onMessage(receive: (bytes: Uint8Array, from: Endpoint) => void): void
  /** From now on the system hands over only what comes from there. */
  connect(to: Endpoint): Promise<void>
  /** Twice is safe. */
  close(): void
}

/** What waits to be sent while the system takes nothing; QUIC sends again what was dropped. */
const MAX_UNSENT_BYTES = 4_194_304
/** Datagrams that wait while the process is busy. The system caps it at its own bound. */
const BUFFER_BYTES = 1_048_576

/** Rejects with the system's error where the port cannot be had. */
export async function openUdp({ host, port }: Endpoint): Promise<UdpSocket> {
  // Hosts are addresses: nothing is looked up.
  const socket = createSocket({ type: 'udp4', lookup: (address, _, done) => done(null, address, 4) })
  let isOpen = true
  let isConnected = false
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', reject)
      resolve()
    })
  })
  socket.on('error', () => undefined) // nobody listens there any more: QUIC notices it by itself
  try {
    socket.setRecvBufferSize(BUFFER_BYTES)
    socket.setSendBufferSize(BUFFER_BYTES)
  } catch {
    // The system's own sizes do.
  }
  const { address, port: bound } = socket.address()
  return {
    local: { host: address, port: bound },
    send(bytes, to) {
      if (!isOpen || socket.getSendQueueSize() > MAX_UNSENT_BYTES) return
      if (isConnected) socket.send(bytes, () => undefined)
      else if (to) socket.send(bytes, to.port, to.host, () => undefined)
    },
    onMessage(receive) {
      socket.removeAllListeners('message')
      socket.on('message', (bytes, { address: from, port: fromPort }) => receive(bytes, { host: from, port: fromPort }))
    },
    async connect(to) {
      await new Promise<void>((resolve, reject) => {
        if (!isOpen) return reject(new Error('closed'))
        socket.connect(to.port, to.host, (error?: Error) => (error ? reject(error) : resolve()))
      })
      isConnected = true
    },
    close() {
      if (isOpen) socket.close()
      isOpen = false
    },
  }
}
