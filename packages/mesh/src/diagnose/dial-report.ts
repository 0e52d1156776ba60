import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock, DialReport, PeerId } from '@qmtcode/protocol'
import { isLoopbackHost, isPrivateHost } from '../addresses/ip-ranges.ts'
import { hostOf, isQuic, isRelayed, relayOf, withoutPeerId } from '../addresses/multiaddrs.ts'
import { isInNetworks } from './networks.ts'
import { knockTcp } from './tcp-knock.ts'

export interface DialReportComponents {
  clock: Clock
  dial(address: Multiaddr, options: { signal: AbortSignal }): Promise<Connection>
  canDial(address: Multiaddr): boolean
  networks: readonly string[]
}

export interface Dialled {
  report: DialReport
  /** Open, and the caller's to close unless it was there before. */
  connection?: Connection
}

const CONNECT_MS = 3_000
const ANSWER_MS = 1_500
const IDENTITY_MS = 5_000

/** Dials one address without a host name, in steps, so that each way to fail can be told from the others. Never rejects. */
export async function dialAndReport(
  address: Multiaddr,
  components: DialReportComponents,
  { expected, source, isBanned }: { expected?: PeerId; source: DialReport['source']; isBanned: boolean },
): Promise<Dialled> {
  const { clock, networks } = components
  const begun = clock.monotonic()
  const host = hostOf(address) ?? ''
  const isUdp = isQuic(address.toString())
  const port = Number(address.getComponents().find((part) => part.name === 'tcp' || part.name === 'udp')?.value)
  const isNear = isLoopbackHost(host) || isInNetworks(host, networks)
  const report = (found: Pick<DialReport, 'outcome' | 'detail' | 'peerId'>, connection?: Connection): Dialled => ({
    report: {
      address: withoutPeerId(address).toString(),
      source,
      protocol: isUdp ? 'udp' : 'tcp',
      port: Number.isNaN(port) ? undefined : port,
      isPrivate: isPrivateHost(host),
      isNear,
      ms: clock.monotonic() - begun,
      ...found,
    },
    connection,
  })
  if (isUdp && !components.canDial(address)) {
    return report({ outcome: 'not_tried', detail: 'QUIC is loaded only where the configuration has a QUIC address' })
  }
  if (!isUdp) {
    const knock = await knockTcp(host, port, { connectMs: CONNECT_MS, answerMs: ANSWER_MS })
    if (knock.outcome !== 'libp2p') return report({ outcome: knock.outcome, detail: knock.detail })
  }
  const whole = overRelay(address, expected)
  if (isRelayed(address) && !components.canDial(address)) {
    return report({ outcome: 'not_tried', detail: 'relay = "none" in [mesh.nat]: no link of this node leads over a relay' })
  }
  if (!whole) return report({ outcome: 'not_tried', detail: 'a relayed address needs the id of the peer behind it: …/p2p-circuit/p2p/ID' })
  if (isBanned) return report({ outcome: 'banned', detail: 'its peer id is banned here, so it is not dialled' })
  try {
    const connection = await components.dial(whole, { signal: AbortSignal.timeout(isRelayed(address) ? 2 * IDENTITY_MS : IDENTITY_MS) })
    const peerId = connection.remotePeer.toString() as PeerId
    return report({ outcome: expected === undefined || peerId === expected ? 'answered' : 'other_peer', peerId }, connection)
  } catch (error) {
    return report(isRelayed(address) ? relayedFailure(address, error) : failureOf(error))
  }
}

/** A relay must be told for whom; whoever is direct shows himself. */
function overRelay(address: Multiaddr, expected: PeerId | undefined): Multiaddr | undefined {
  if (!isRelayed(address)) return withoutPeerId(address)
  return expected === undefined ? undefined : withoutPeerId(address).encapsulate(`/p2p/${expected}`)
}

/** The relay's port answers: what fails after that is between the relay and the two ends. */
function relayedFailure(address: Multiaddr, error: unknown): Pick<DialReport, 'outcome' | 'detail'> {
  const found = failureOf(error)
  if (found.outcome === 'self' || found.outcome === 'banned') return found
  const relay = relayOf(address)?.peerId ?? ''
  const message = error instanceof Error ? error.message : String(error)
  const why = /NO_RESERVATION/.test(message)
    ? 'the peer has no place at it'
    : `no circuit: ${message.slice(0, 120)} (it carries links of peers only that it has admitted)`
  return { outcome: 'failed', detail: `the relay ${relay} answers; ${why}` }
}

function failureOf(error: unknown): Pick<DialReport, 'outcome' | 'detail'> {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  if (/dial self/i.test(message)) return { outcome: 'self' }
  if (name === 'ConnectionInterceptedError') return { outcome: 'banned', detail: 'the peer that answers is banned here' }
  if (/ECONNREFUSED/.test(message)) return { outcome: 'refused' }
  if (/EHOSTUNREACH|ENETUNREACH/.test(message)) return { outcome: 'no_route' }
  if (name === 'TimeoutError' || name === 'AbortError' || /aborted|timed? ?out/i.test(message)) return { outcome: 'silent' }
  if (/ECONNRESET|closed|ended|EOF/i.test(message)) return { outcome: 'closed', detail: message.slice(0, 120) }
  return { outcome: 'failed', detail: message.slice(0, 200) }
}
