import type { Multiaddr } from '@multiformats/multiaddr'
import { AppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { relayOf } from '../addresses/multiaddrs.ts'
import { systemLookup } from '../addresses/resolve-names.ts'
import { dialTarget } from '../links/dialler.ts'
import type { DiallerComponents, Target } from '../links/dialler.ts'
import { createKeeper } from '../links/keeper.ts'
import { isConnected } from '../links/link.ts'
import { createUpgrades } from '../nat/upgrades.ts'
import type { LaterParts, LinkParts, PartsComponents, TrustParts } from './parts.ts'

type Given = Pick<TrustParts & LinkParts, 'events' | 'trust' | 'greeter' | 'isAdmitted' | 'links' | 'nat' | 'host' | 'addressWatch'>
type Dial = (target: Target, signal: AbortSignal) => Promise<void>

/** Who is dialled, and why: peers to keep, direct ways beside relayed ones, what discovery found, relays on the way. */
export function createDialling(
  components: PartsComponents,
  given: Given,
  later: LaterParts,
): Pick<LinkParts, 'keeper' | 'upgrades' | 'dialFound'> {
  const { clock, log, self, options } = components
  const { events, trust, links } = given
  const { timings, peers: configured } = options
  const learntAddresses = (peerId: PeerId): string[] => later.knowledge().learntAddresses(peerId)
  const dialler = diallerOf(components, { ...given, learntAddresses, meetRelay }, later)
  const dial: Dial = async (target, signal) => await dialTarget(target, dialler, { addressMs: timings.addressDial, signal })
  const keeper = createKeeper({ clock, log, trust, links, emit: events.emit, dial, learntAddresses }, { self, configured, timings })
  const upgrades = createUpgrades(
    {
      clock,
      log: log.child('nat'),
      links: links.all,
      dialBetter: async (peerId, accepts, signal) =>
        await dial({ name: trust.nameOf(peerId), configured: trust.pins.configuredAs(peerId), peerId, accepts }, signal),
    },
    { self },
  )
  async function meetRelay(address: Multiaddr, signal: AbortSignal): Promise<void> {
    const relay = relayOf(address)
    if (relay) await meet(relay, { ...given, keeper, dial }, signal)
  }
  async function dialFound(peerId: PeerId, signal: AbortSignal): Promise<void> {
    if (keeper.stateOf(peerId).isWanted) return await keeper.reach(peerId, signal)
    await dial({ name: trust.nameOf(peerId), peerId }, signal)
  }
  return { keeper, upgrades, dialFound }
}

function diallerOf(
  { log }: PartsComponents,
  { trust, greeter, nat, host, addressWatch, learntAddresses, meetRelay }: Given & Pick<DiallerComponents, 'learntAddresses' | 'meetRelay'>,
  later: LaterParts,
): DiallerComponents {
  return {
    log,
    trust,
    greeter,
    dial: host.libp2p.dial.bind(host.libp2p),
    untilGone: addressWatch.untilGone,
    canDial: host.canDial,
    lookUpName: systemLookup,
    learntAddresses: (peerId) => [...learntAddresses(peerId), ...nat.overRelays(peerId)],
    find: async (peerId, signal) => await later.knowledge().discovery.find(peerId, signal),
    meetRelay,
  }
}

/** Over a relay that nobody here decided on nothing is dialled: a record may name any. */
async function meet(
  relay: NonNullable<ReturnType<typeof relayOf>>,
  { links, trust, isAdmitted, keeper, dial }: Given & Pick<LinkParts, 'keeper'> & { dial: Dial },
  signal: AbortSignal,
): Promise<void> {
  if (isConnected(links.get(relay.peerId))) return
  if (!isAdmitted(relay.peerId))
    throw new AppError('peer_unreachable', `its relay ${relay.peerId} is not admitted here`, {
      hint: `qmtcode peers admit ${relay.peerId}`,
    })
  if (keeper.stateOf(relay.peerId).isWanted) return await keeper.reach(relay.peerId, signal)
  trust.seen(relay.peerId, [relay.address.toString()])
  await dial({ name: trust.nameOf(relay.peerId), peerId: relay.peerId, directOnly: true }, signal)
}
