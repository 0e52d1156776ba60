import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import { AppError } from '@qmtcode/protocol'
import type { Libp2pHost } from './libp2p-host.ts'

const DEFAULT_PORT = 9_000
const PORTS_TRIED = 100

const defaultAddress = (port: number): Multiaddr => multiaddr(`/ip4/0.0.0.0/tcp/${port}`)

/** Listens on all of `addresses`. Throws bad_config for the first that cannot be. */
export async function listenOn(host: Libp2pHost, addresses: readonly Multiaddr[]): Promise<void> {
  for (const address of addresses) {
    try {
      await host.listen(address)
    } catch (cause) {
      throw listenError(address, cause)
    }
  }
}

/** Listens on the default port, or the next free one: then both are returned. */
export async function listenOnDefault(host: Libp2pHost): Promise<{ from: string; to: string } | undefined> {
  const from = defaultAddress(DEFAULT_PORT)
  for (let port = DEFAULT_PORT; port < DEFAULT_PORT + PORTS_TRIED; port += 1) {
    const address = defaultAddress(port)
    try {
      await host.listen(address)
      return port === DEFAULT_PORT ? undefined : { from: from.toString(), to: address.toString() }
    } catch (cause) {
      if (!isTaken(cause)) throw listenError(address, cause)
    }
  }
  throw new AppError('bad_config', `ports ${DEFAULT_PORT} to ${DEFAULT_PORT + PORTS_TRIED - 1} are all taken`, {
    hint: '--mesh-listen /ip4/0.0.0.0/tcp/0 takes any free port',
  })
}

/** Node's text, and that of QUIC's native part. */
const isTaken = (cause: unknown): boolean => /EADDRINUSE|address already in use/i.test(String(cause))

function listenError(address: Multiaddr, cause: unknown): AppError {
  const text = String(cause)
  const where = `cannot listen on ${address.toString()}`
  if (isTaken(cause)) {
    return new AppError('bad_config', `${where}: the port is taken`, {
      cause,
      hint: 'stop what listens there, or use port 0 for any free one',
    })
  }
  if (/EADDRNOTAVAIL|cannot assign requested address/i.test(text)) {
    return new AppError('bad_config', `${where}: this machine has no such address`, {
      cause,
      hint: `${everywhere(address)} listens on all of its addresses`,
    })
  }
  if (/EACCES|permission denied/i.test(text))
    return new AppError('bad_config', `${where}: not permitted`, { cause, hint: 'use a port above 1023' })
  return new AppError('bad_config', `${where}: ${text.slice(0, 200)}`, { cause })
}

const everywhere = (address: Multiaddr): string =>
  address
    .toString()
    .replace(/^(\/ip6zone\/[^/]+)?\/ip4\/[^/]+/, '/ip4/0.0.0.0')
    .replace(/^(\/ip6zone\/[^/]+)?\/ip6\/[^/]+/, '/ip6/::')
