import { createSocket } from 'node:dgram'
import type { RemoteInfo } from 'node:dgram'

const PORT = 1900
const GROUP = '239.255.255.250'
const DEVICE = 'urn:schemas-upnp-org:device:InternetGatewayDevice:2'
const AGAIN_AFTER_MS = 1_000
const MAX_ANSWER_BYTES = 2_048

export interface SearchRouterOptions {
  signal: AbortSignal
  /** Of the router: for tests. */
  port?: number
}

/** Asks one router for the description of its port forwarding; what others answer is not read. Undefined: none until `signal`. */
export function searchRouter(gateway: string, { signal, port = PORT }: SearchRouterOptions): Promise<URL | undefined> {
  const { promise, resolve } = Promise.withResolvers<URL | undefined>()
  const socket = createSocket('udp4')
  const ask = (): void => {
    // Some routers answer a question of their own, some only that of the group.
    for (const to of [gateway, GROUP]) socket.send(question(to, port), port, to, () => {})
  }
  const timer = setInterval(ask, AGAIN_AFTER_MS)
  const end = (found?: URL): void => {
    clearInterval(timer)
    signal.removeEventListener('abort', onAbort)
    socket.close()
    resolve(found)
  }
  const onAbort = (): void => end()
  socket.on('message', (message, from) => {
    const location = locationIn(message, from, gateway)
    if (location) end(location)
  })
  socket.on('error', onAbort)
  if (signal.aborted) end()
  else {
    signal.addEventListener('abort', onAbort, { once: true })
    ask()
  }
  return promise
}

const question = (to: string, port: number): string =>
  ['M-SEARCH * HTTP/1.1', `HOST: ${to}:${port}`, 'MAN: "ssdp:discover"', 'MX: 1', `ST: ${DEVICE}`, '', ''].join('\r\n')

/** Where the description is: told by the router itself, and at the router itself. */
export function locationIn(message: Buffer, from: Pick<RemoteInfo, 'address'>, gateway: string): URL | undefined {
  if (from.address !== gateway || message.length > MAX_ANSWER_BYTES) return undefined
  const text = message.toString('latin1')
  if (!/^HTTP\/1\.[01] 200\b/.test(text) || !text.includes(DEVICE)) return undefined
  const location = URL.parse(/^location:[ \t]*(\S+)[ \t]*\r?$/im.exec(text)?.[1] ?? '')
  return location?.protocol === 'http:' && location.hostname === gateway ? location : undefined
}
