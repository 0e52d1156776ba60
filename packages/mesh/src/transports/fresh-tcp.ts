import type { Socket } from 'node:net'
import type { DialTransportOptions, Transport } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The system sends a lost first packet again after 1 s, then after 2, 4 …: a link that passes again would wait for that. A new attempt sends at once. */
const FRESH_MS = 500
const MOST_ATTEMPTS = 5

/** The library's way to a socket, before anything is spoken on it. Private there. */
interface Connecting {
  _connect(address: Multiaddr, options: DialTransportOptions): Promise<Socket>
}

/** TCP, of which a dial that is not answered begins again beside itself. */
export function freshTcp() {
  const make = tcp()
  return (components: Parameters<typeof make>[0]): Transport => {
    const transport = make(components)
    const connecting = transport as unknown as Connecting
    const connect = connecting._connect.bind(transport)
    connecting._connect = async (address, options) =>
      await firstToConnect(async (signal) => await connect(address, { ...options, signal }), { signal: options.signal, freshMs: FRESH_MS })
    return transport
  }
}

/**
 * Attempts until one connects, each beginning `freshMs` after the one before; the others are given up then. The first failure is the failure
 * of all: somebody refused, or the system knows that there is no way.
 */
export function firstToConnect(
  attempt: (signal: AbortSignal) => Promise<Socket>,
  { signal, freshMs }: { signal: AbortSignal; freshMs: number },
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const underWay = new Set<AbortController>()
  let isOver = false

  function begin(): void {
    const own = new AbortController()
    underWay.add(own)
    if (underWay.size === MOST_ATTEMPTS) clearInterval(timer)
    attempt(AbortSignal.any([signal, own.signal])).then((socket) => {
      if (isOver) return socket.destroy()
      isOver = true
      underWay.delete(own) // its signal would end the socket later too
      return resolve(socket)
    }, reject)
  }
  const timer = setInterval(begin, freshMs)
  begin()
  return promise.finally(() => {
    isOver = true
    clearInterval(timer)
    for (const other of underWay) other.abort()
  })
}
