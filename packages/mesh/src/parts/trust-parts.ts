import type { PeerId } from '@qmtcode/protocol'
import { callEntry } from '../audit/call-entry.ts'
import { createProbeService, probeContract } from '../diagnose/probe-service.ts'
import { createGreeter } from '../handshake/greeter.ts'
import { createArrivals } from '../links/arrivals.ts'
import { newLink } from '../links/link.ts'
import { RELAY_SERVICE } from '../nat/nat.ts'
import { createMeshEvents } from '../peers/mesh-events.ts'
import { createRpcServer } from '../rpc/server.ts'
import type { RpcServer } from '../rpc/types.ts'
import { createServices } from '../services.ts'
import type { Services } from '../services.ts'
import { bansContract, createBanNews } from '../trust/ban-news.ts'
import { createMembership } from '../trust/membership.ts'
import type { Standing } from '../trust/standing.ts'
import { createTrustBook } from '../trust/trust-book.ts'
import { createHelloTaker } from './hello-taker.ts'
import type { LaterParts, PartsComponents, TrustParts } from './parts.ts'

/** Trust, and how strangers and friends are met: events, decisions, grants, services, the handshake, bans. */
export function createTrustParts(components: PartsComponents, later: LaterParts): TrustParts {
  const { clock, log, audit, key, self, file, options } = components
  const { name, version, timings } = options
  const events = createMeshEvents({ audit })
  const trust = createTrustBook({ clock, file }, { self, name, configured: options.peers, open: options.trust === 'open' })
  const addresses = (): string[] => later.links().ownAddresses()
  const membership = createMembership({ clock, log, audit, key, trust, content: file.content, addresses }, { self })
  const bans = createBanNews({ log, trust, membership, clientOf: (peerId) => later.links().clientOf(peerId, bansContract) })
  const notes = createNotes(components, trust)
  const { server, services } = createServing(components, { trust, bans, noteCall: notes.noteCall }, later)
  const arrivals = createArrivals({ trust, audit })
  const onHello = createHelloTaker(components, { events, trust, arrivals, claimName: notes.claimName }, later)
  const servicesFor = (standing: Standing): string[] => {
    const isRelayed = later.links().nat.relayServer !== undefined && standing.state === 'admitted'
    return [...services.allowedTo(standing), ...(isRelayed ? [RELAY_SERVICE] : [])]
  }
  const greeter = createGreeter(
    { clock, log, audit, trust, membership, servicesFor, onAdmitted: (peerId) => bans.expect(peerId), onHello },
    { name, version, timeoutMs: timings.handshake },
  )
  const isAdmitted = (peerId: PeerId): boolean => trust.standing(peerId).state === 'admitted'
  return { events, trust, membership, server, services, arrivals, greeter, bans, isAdmitted, ...notes }
}

/** What is written down of a peer: its calls in the audit, its name in the pins. */
function createNotes({ log, audit }: PartsComponents, trust: TrustParts['trust']): Pick<TrustParts, 'noteCall' | 'claimName'> {
  return {
    noteCall: (direction, peerId, call) => audit.note(callEntry(call, { direction, peerId, name: trust.nameOf(peerId) })),
    claimName(peerId, claimed) {
      trust.pinName(peerId, claimed).then(
        (isIts) => isIts || log.warn('another node bears this name already', { peerId, name: claimed }),
        (error: unknown) => log.error('cannot keep a name', { peerId, error: String(error) }),
      )
    },
  }
}

/** What answers calls. Services of other groups are added by them. */
function createServing(
  { clock, log, audit }: PartsComponents,
  { trust, bans, noteCall }: Pick<TrustParts, 'trust' | 'bans' | 'noteCall'>,
  later: LaterParts,
): { server: RpcServer; services: Services } {
  const server = createRpcServer({ clock, log: log.child('rpc'), onCall: ({ peerId }, call) => peerId && noteCall('in', peerId, call) })
  const services = createServices({
    log,
    audit,
    trust,
    server,
    meterOf: (peerId) => later.links().links.get(peerId)?.meter ?? newLink(peerId).meter,
    held: (peerId) => bans.held(peerId),
  })
  const probesOf = createProbeService({ clock })
  services.add(probeContract, { handlersFor: (peer) => probesOf(peer.peerId) })
  services.add(bansContract, { handlersFor: () => bans.handlers })
  return { server, services }
}
