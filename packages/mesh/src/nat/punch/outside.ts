import { multiaddr } from '@multiformats/multiaddr'
import { AppError, toAppError } from '@qmtcode/protocol'
import type { Clock, ContractClient, Logger, PeerId } from '@qmtcode/protocol'
import { isIPv4 } from 'node:net'
import { hostOf, isRelayed, relayOf } from '../../addresses/multiaddrs.ts'
import type { Link } from '../../links/link.ts'
import type { punchContract } from './contract.ts'
import type { Seen } from './nat-kind.ts'
import { seenAs } from './seen-as.ts'
import type { Endpoint } from './stun-message.ts'
import { openUdp } from './udp-socket.ts'
import type { UdpSocket } from './udp-socket.ts'

/** How this node is seen from outside its network: what its relays say, and which NAT follows from it. */
export interface Outside {
  /** Of a socket, now. The relay between this node and `peerId` is asked first. Rejects if no relay has an answer to give. */
  look(socket: UdpSocket, peerId: PeerId | undefined, signal: AbortSignal): Promise<Seen>
  /** Of the last look that had an answer; unknown if none had. Undefined: nobody could be asked yet. */
  seen(): Seen | undefined
  /** Looks now and then, so that it is known before anybody asks. */
  start(): void
  stop(): Promise<void>
}

export interface OutsideComponents {
  clock: Clock
  log: Logger
  linkOf(peerId: PeerId): Link | undefined
  /** Linked peers that relay for this node. */
  relays(): Link[]
  clientOf(peerId: PeerId): ContractClient<typeof punchContract> | undefined
  addressesOf(peerId: PeerId): string[]
  hosts(): string[]
}

const WAKE_MS = 1_000
const FRESH_MS = 600_000
const RETRY_MS = 30_000
const LOOK_MS = 8_000
const PASS_MS = 4_000

export function createOutside(components: OutsideComponents): Outside {
  const { clock, log, linkOf, relays, clientOf, addressesOf, hosts } = components
  const stopped = new AbortController()
  let last: Seen | undefined
  let nextAt = 0
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const directHost = (link: Link): string | undefined => {
    const line = link.lines.find(({ connection }) => !isRelayed(connection.remoteAddr))
    return line && hostOf(line.connection.remoteAddr)
  }
  /** Over IPv4, whatever the link runs over. */
  function hostOfRelay(link: Link): string | undefined {
    const known = [directHost(link), ...addressesOf(link.peerId).map((text) => hostOf(multiaddr(text)))]
    return known.find((host) => host !== undefined && isIPv4(host))
  }
  function inOrder(peerId: PeerId | undefined): Link[] {
    const line = peerId === undefined ? undefined : linkOf(peerId)?.lines[0]
    const between = line && relayOf(line.connection.remoteAddr)?.peerId
    return relays().toSorted((a, b) => Number(b.peerId === between) - Number(a.peerId === between))
  }
  async function look(socket: UdpSocket, peerId: PeerId | undefined, signal: AbortSignal): Promise<Seen> {
    let failure = new AppError('unsupported', 'none of its relays says how it is seen')
    for (const link of inOrder(peerId)) {
      const client = clientOf(link.peerId)
      const host = hostOfRelay(link)
      if (!client || host === undefined) continue
      try {
        const { ports, username } = await client.stun({}, { signal, timeoutMs: PASS_MS })
        const servers = ports.map((port): Endpoint => ({ host, port }))
        last = await seenAs(socket, servers, { username, hosts: hosts(), signal })
        nextAt = clock.monotonic() + FRESH_MS
        return last
      } catch (error) {
        signal.throwIfAborted()
        failure = toAppError(error)
      }
    }
    throw failure
  }
  async function refresh(): Promise<void> {
    nextAt = clock.monotonic() + RETRY_MS
    const socket = await openUdp({ host: '0.0.0.0', port: 0 })
    try {
      await look(socket, undefined, AbortSignal.any([stopped.signal, AbortSignal.timeout(LOOK_MS)]))
    } catch (error) {
      last ??= { nat: 'unknown' }
      log.debug('not known how this node is seen', { error: toAppError(error).message })
    } finally {
      socket.close()
    }
  }
  function wake(): void {
    if (clock.monotonic() < nextAt || relays().length === 0) return
    looking ??= refresh()
      .catch((error: unknown) => log.warn('cannot open a UDP socket', { error: String(error) }))
      .finally(() => (looking = undefined))
  }
  return {
    look,
    seen: () => last,
    start() {
      timer = setInterval(wake, WAKE_MS).unref()
    },
    async stop() {
      stopped.abort()
      clearInterval(timer)
      await looking
    },
  }
}
