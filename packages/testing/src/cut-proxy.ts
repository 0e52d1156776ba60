import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** A TCP relay on loopback, for tests that break a link between two real nodes. */
export interface CutProxy extends AsyncDisposable {
  readonly port: number
  /** Connections relayed so far. */
  readonly connections: number
  /** Breaks every connection now; until `restore` further ones are refused the same way. */
  cut(): void
  restore(): void
  /** Breaks it by itself once so many bytes more have come from the target: the last of them are not passed on. */
  cutAfter(bytes: number): Promise<void>
  /** Takes the last `cutAfter` back; it resolves. */
  disarm(): void
  /** `hear` gets all that the target says from now on, with the number of its connection, as it passes. */
  tap(hear: (connection: number, bytes: Buffer) => void): void
  stop(): Promise<void>
}

export interface CutProxyOptions {
  /** Where it relays to, on 127.0.0.1. Asked at each connection, since a target may move. */
  target(): number
  /** Bytes from the target are held for so long, as a slow line would. Default: 0. */
  delayMs?: number
}

interface Fuse {
  left: number
  burnt(): void
}

export async function startCutProxy({ target, delayMs = 0 }: CutProxyOptions): Promise<CutProxy> {
  const sockets = new Set<Socket>()
  let isCut = false
  let connections = 0
  let fuse: Fuse | undefined
  let tapped: ((connection: number, bytes: Buffer) => void) | undefined

  const cut = (): void => {
    isCut = true
    for (const socket of sockets) socket.resetAndDestroy()
    sockets.clear()
  }
  /** What may still pass of `bytes`. */
  const passing = (bytes: Buffer): Buffer => {
    if (!fuse) return bytes
    fuse.left -= bytes.byteLength
    if (fuse.left > 0) return bytes
    const { burnt, left } = fuse
    fuse = undefined
    // The socket is ended first, so that what passed arrives before the reset of everything else.
    setImmediate(() => {
      cut()
      burnt()
    })
    return bytes.subarray(0, bytes.byteLength + left)
  }
  const relay = (from: Socket, to: Socket, write: (bytes: Buffer) => void): void => {
    sockets.add(from)
    from.on('data', (bytes: Buffer) => write(bytes))
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((caller) => {
    if (isCut) return caller.resetAndDestroy()
    connections += 1
    const connection = connections
    const host = connect(target(), '127.0.0.1')
    caller.setNoDelay(true)
    host.setNoDelay(true)
    relay(caller, host, (bytes) => host.write(bytes))
    relay(host, caller, (bytes) => {
      if (isCut) return
      tapped?.(connection, bytes)
      const passed = passing(bytes)
      if (delayMs === 0) caller.write(passed)
      else setTimeout(() => caller.write(passed), delayMs)
    })
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    cut()
    await closed
  }
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections
    },
    cut,
    restore() {
      isCut = false
    },
    cutAfter: (bytes) =>
      new Promise((resolve) => {
        fuse = { left: bytes, burnt: resolve }
      }),
    disarm() {
      fuse?.burnt()
      fuse = undefined
    },
    tap(hear) {
      tapped = hear
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
