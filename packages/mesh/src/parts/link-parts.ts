import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@qmtcode/protocol'
import { localInterfaceAddresses } from '../addresses/local-addresses.ts'
import { isQuic, withoutPeerId } from '../addresses/multiaddrs.ts'
import { dialableAddresses } from '../addresses/reach.ts'
import { createLibp2pHost } from '../libp2p-host.ts'
import type { Libp2pHost } from '../libp2p-host.ts'
import { createLinks } from '../links/links.ts'
import { createNat } from '../nat/nat.ts'
import type { Nat } from '../nat/nat.ts'
import { NO_NAT } from '../nat/nat-options.ts'
import type { MeshNodeOptions } from '../node-types.ts'
import { createGate } from '../trust/gate.ts'
import { createUpkeep } from '../trust/upkeep.ts'
import { createCalls } from './calls.ts'
import { createDialling } from './dialling.ts'
import { createLinkTurns } from './link-turns.ts'
import { createMoving } from './moving.ts'
import type { LaterParts, LinkParts, PartsComponents, TrustParts } from './parts.ts'
import { createWays } from './ways.ts'

/** Connections: libp2p and its ways through routers, the links that greeted connections make, and who dials for them. */
export async function createLinkParts(components: PartsComponents, trusting: TrustParts, later: LaterParts): Promise<LinkParts> {
  const { clock, log, self, options } = components
  const { events, trust, membership, greeter, server } = trusting
  const { settle, closed } = createLinkTurns(components, trusting, later)
  const links = createLinks(
    { clock, log, trust, emit: events.emit, rpcFor: createCalls(components, trusting), onTurn: settle, answersOwed: server.answersOwed },
    { self, pingMs: options.timings.ping },
  )
  const nat = createReach(components, { ...trusting, links }, later)
  const host = await createHost(components, { ...trusting, nat }, closed)
  const punching = createWays(components, { ...trusting, links, nat, host }, later)
  const upkeep = createUpkeep({ log, trust, membership, greeter, links }, { everyMs: options.timings.upkeep })
  const addressWatch = createMoving(components, later)
  const dialling = createDialling(components, { ...trusting, links, nat, host, addressWatch }, later)
  const listenAddresses = (): string[] => listening(host).map((address) => `${address}/p2p/${self}`)
  return {
    links,
    nat,
    host,
    punching,
    upkeep,
    addressWatch,
    ...dialling,
    settle,
    clientOf: (peerId, contract) => links.get(peerId)?.lines[0]?.rpc.client(contract),
    listenAddresses,
    ownAddresses: () => [...new Set([...listenAddresses(), ...nat.addresses()])],
    closeAll(peerId, reason) {
      for (const connection of host.libp2p.getConnections()) if (connection.remotePeer.toString() === peerId) connection.abort(reason)
    },
  }
}

const listening = (host: Libp2pHost): string[] =>
  dialableAddresses(host.listening(), localInterfaceAddresses()).map((address) => withoutPeerId(address).toString())

function createReach(
  { clock, log, self, options }: PartsComponents,
  { trust, links, isAdmitted }: Pick<TrustParts & LinkParts, 'trust' | 'links' | 'isAdmitted'>,
  later: LaterParts,
): Nat {
  return createNat(
    {
      listening: () => later.links().host.listening(),
      clock,
      log: log.child('nat'),
      isAdmitted,
      nameOf: trust.nameOf,
      links: links.all,
      addressesOf: (peerId) => [...(later.knowledge().directory.recordOf(peerId)?.addresses ?? []), ...trust.addressesOf(peerId)],
      onChange() {
        const { own } = later.knowledge()
        own.advertise(own.advert)
      },
    },
    { ...(options.nat ?? NO_NAT), self },
  )
}

async function createHost(
  { clock, key, audit, options }: PartsComponents,
  { trust, arrivals, nat }: Pick<TrustParts & LinkParts, 'trust' | 'arrivals' | 'nat'>,
  onClose: (connection: Connection) => void,
): Promise<Libp2pHost> {
  const isTrusted = (connection: Connection): boolean => {
    const { state, open } = trust.standing(connection.remotePeer.toString() as PeerId)
    return state === 'admitted' || open
  }
  const gater = createGate({ clock, trust, audit })
  return await createLibp2pHost(
    { clock, key, gater, isTrusted, onOpen: (connection) => arrivals.opened(connection), onClose, nat },
    { version: options.version, addressDialMs: options.timings.addressDial, quic: usesQuic(options) },
  )
}

/** QUIC is native code: only a node whose configuration names it loads it. */
const usesQuic = ({ listen, peers }: Pick<MeshNodeOptions, 'listen' | 'peers'>): boolean =>
  [...listen, ...peers.flatMap(({ addr }) => addr ?? [])].some(isQuic)
