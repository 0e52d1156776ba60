import { isIPv4 } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import { toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, MeshStatus, PeerId } from '@qmtcode/protocol'
import { isLoopbackHost } from '../addresses/ip-ranges.ts'
import { hostOf, isRelayed, parseDialAddress, withoutPeerId } from '../addresses/multiaddrs.ts'
import { byReach } from '../addresses/reach.ts'
import type { Link } from '../links/link.ts'
import { createMappedPorts } from './mapped-ports.ts'
import { configuredRelays } from './configured-relays.ts'
import type { NatOptions } from './nat-options.ts'
import { createRelayClient } from './relay-client.ts'
import { createStunServer } from './punch/stun-server.ts'
import type { StunServer } from './punch/stun-server.ts'
import { createRelayServer } from './relay-server.ts'

/** What a peer that relays for this node offers in its handshake. */
export const RELAY_SERVICE = 'relay'

/** How this node is reached where its own addresses do not reach: announced and mapped ones, and places at relays. */
export interface Nat {
  /** Parts for libp2p; each absent where the configuration does without. */
  relayClient?: ReturnType<typeof createRelayClient>
  relayServer?: ReturnType<typeof createRelayServer>
  mappedPorts?: ReturnType<typeof createMappedPorts>
  stunServer?: StunServer
  /** Linked peers that relay for this node. */
  relayLinks(): Link[]
  start(): void
  /** Links or standings changed: looks for places at relays. */
  wake(): void
  /** Beside the addresses that are listened on; with `/p2p`. */
  addresses(): string[]
  /** Where an admitted peer is that has a place at a relay of this node; nobody need have told. */
  overRelays(peerId: PeerId): string[]
  status(): NonNullable<MeshStatus['nat']>
  problems(): string[]
  stop(): Promise<void>
}

export interface NatComponents {
  clock: Clock
  log: Logger
  isAdmitted(peerId: PeerId): boolean
  nameOf(peerId: PeerId): string
  links(): Link[]
  /** Where a peer says that it is. */
  addressesOf(peerId: PeerId): string[]
  onChange(): void
  /** As bound. */
  listening(): Multiaddr[]
}

/** Where the mesh is listened on, and nowhere else. */
function stunHost(listening: readonly Multiaddr[]): string {
  const [host, ...others] = new Set(listening.flatMap((address) => hostOf(address) ?? []))
  return host !== undefined && isIPv4(host) && others.length === 0 ? host : '0.0.0.0'
}

const LOOK_MS = 2_000
const MAX_RELAYS = 2 // of those that nobody named
const MAX_ADDRESSES_PER_RELAY = 3

export function createNat(components: NatComponents, options: NatOptions & { self: PeerId }): Nat {
  const { log, nameOf, links } = components
  const named = configuredRelays(options)
  const announced = options.announce.map((text) => withoutPeerId(parseDialAddress(text)))
  const relayClient = options.relay === 'none' ? undefined : createRelayClient(components)
  const relayServer = options.serve ? createRelayServer(components) : undefined
  const stunServer = options.serve ? createStunServer(components, { port: options.stunPort }) : undefined
  const mappedPorts = options.upnp ? createMappedPorts() : undefined
  const failures = new Map<PeerId, string>()
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let told = ''
  let starting: Promise<void> | undefined

  const directLine = (link: Link | undefined) => link?.lines.find(({ connection }) => !isRelayed(connection.remoteAddr))
  const linkOf = (peerId: PeerId): Link | undefined => links().find((link) => link.peerId === peerId)
  const offers = (link: Link): boolean => link.isUp && link.there?.services.includes(RELAY_SERVICE) === true
  /** Named ones; else those of the linked peers that offer it, if nothing else says where this node is. */
  function wanted(): PeerId[] {
    if (!relayClient) return []
    if (named.length > 0 || announced.length > 0) return named
    const offering = links().filter((link) => offers(link) && directLine(link))
    const held = offering.filter(({ peerId }) => relayClient.has(peerId))
    return [...new Set([...held, ...offering])].slice(0, MAX_RELAYS).map(({ peerId }) => peerId)
  }
  async function look(): Promise<void> {
    for (const relay of wanted()) {
      const link = linkOf(relay)
      if (!relayClient || relayClient.has(relay) || !link || !directLine(link)) continue
      if (!offers(link)) {
        failures.set(
          relay,
          link.isUp ? 'it does not relay for this node: serve = true in its [mesh.nat]?' : 'it has not admitted this node',
        )
        continue
      }
      try {
        await relayClient.reserve(relay)
        failures.delete(relay)
        log.info('reachable over a relay', { relay })
      } catch (error) {
        failures.set(relay, toAppError(error).message.slice(0, 200))
      }
    }
    const now = addresses().join()
    if (now !== told) components.onChange()
    told = now
  }
  function wake(): void {
    if (timer === undefined) return
    looking ??= look()
      .catch((error: unknown) => log.error('relays', { error: String(error) }))
      .finally(() => (looking = undefined))
  }
  function relayed(): Multiaddr[] {
    return wanted().flatMap((relay) => {
      if (!relayClient?.has(relay)) return []
      const line = directLine(linkOf(relay))
      const dialled = line?.connection.direction === 'outbound' ? [line.connection.remoteAddr] : []
      return relayAddresses([...dialled, ...components.addressesOf(relay).map((text) => multiaddr(text))]).map((address) =>
        address.encapsulate(`/p2p/${relay}/p2p-circuit`),
      )
    })
  }
  function addresses(): string[] {
    const all = [...announced, ...(mappedPorts?.addresses() ?? []), ...relayed()]
    return [...new Set(all.map((address) => `${withoutPeerId(address).toString()}/p2p/${options.self}`))]
  }

  return {
    relayClient,
    relayServer,
    mappedPorts,
    stunServer,
    relayLinks: () => links().filter((link) => offers(link) && directLine(link)),
    wake,
    addresses,
    overRelays: (peerId) => (components.isAdmitted(peerId) ? relayed().map(String) : []).filter((text) => !text.includes(peerId)),
    start() {
      starting = stunServer?.start(stunHost(components.listening()))
      timer = setInterval(wake, LOOK_MS).unref()
    },
    status: () => ({
      announced: announced.map(String),
      upnp: mappedPorts !== undefined,
      mapped: (mappedPorts?.addresses() ?? []).map(String),
      relays: wanted().map((peerId) => ({
        peerId,
        name: nameOf(peerId),
        reserved: relayClient?.has(peerId) ?? false,
        problem: failures.get(peerId),
      })),
      ...(relayServer && { serves: { ...relayServer.status(), stun: stunServer?.ports() ?? [] } }),
    }),
    problems: () => [
      ...[stunServer?.problem() ?? []].flat(),
      ...named.flatMap((relay) => {
        if (relayClient?.has(relay)) return []
        const reason = failures.get(relay) ?? (linkOf(relay)?.isUp ? 'no place there yet' : 'not connected')
        return [`relay ${nameOf(relay)}: ${reason}`]
      }),
    ],
    async stop() {
      await starting
      stunServer?.stop()
      clearInterval(timer)
      timer = undefined
      await looking
    },
  }

  function relayAddresses(told: readonly Multiaddr[]): Multiaddr[] {
    const direct = byReach(told.filter((address) => !isRelayed(address) && hostOf(address) !== undefined).map(withoutPeerId))
    const plain = [...new Set(direct.map(String))].map((text) => multiaddr(text))
    const outside = plain.filter((address) => !isLoopbackHost(hostOf(address) ?? ''))
    return (outside.length > 0 ? outside : plain).slice(0, MAX_ADDRESSES_PER_RELAY)
  }
}
