import { isLoopbackHost, isPrivateHost } from '@qmtcode/mesh/addresses'
import type { MeshStatus, PeerDiagnosis, SelfDiagnosis } from '@qmtcode/protocol'
import { advice, command, config, ok, problem, warning } from './check.ts'
import type { Check } from './check.ts'

const AREA = 'This node'

type Nat = NonNullable<MeshStatus['nat']>

/** How this node is reached from outside of its network: what was asked for and is not there, and what could be asked for. */
export function natChecks(self: SelfDiagnosis, nat: Nat | undefined, peers: readonly PeerDiagnosis[]): Check[] {
  if (!nat) return [] // a node of an earlier version
  const { announced, serves } = nat
  return [
    ...(announced.length > 0 ? [ok(AREA, 'announce', `tells peers ${announced.join(', ')}, as announce says`)] : []),
    ...upnpChecks(nat),
    ...nat.relays.map((relay) => relayCheck(relay, self)),
    ...seenChecks(nat),
    ...(serves ? [ok(AREA, 'relay-server', `relays for others: places ${serves.reservations}, circuits ${serves.circuits}`)] : []),
    ...(serves ? stunChecks(serves) : []),
    ...behindChecks(self, nat, peers),
  ]
}

/** Whether the first look at relays and router is still under way. */
export const isNatPending = ({ upnp, mapped, relays, punch, seen }: Nat): boolean =>
  (upnp === true && mapped.length === 0) ||
  relays.some(({ reserved, problem: why }) => !reserved && why === undefined) ||
  (punch === true && relays.some(({ reserved }) => reserved) && seen === undefined)

const ANNOUNCE = 'announce = "/ip4/PUBLIC-IP/tcp/9000"   # the router forwards this port to this machine'
const RELAYS = 'relays = "/ip4/IP/tcp/9000/p2p/ID"   # a public node with serve = true'

function upnpChecks({ upnp, mapped }: Nat): Check[] {
  if (mapped.length > 0) return [ok(AREA, 'upnp', `the router forwards ${mapped.join(', ')}`)]
  if (upnp !== true) return []
  const text =
    'upnp = true, and no port is forwarded: the router has UPnP off, multicast does not reach it, or it has no public address itself (a second NAT)'
  return [
    warning(AREA, 'upnp', text, [
      advice('switch UPnP (IGD) on in the router, or forward TCP 9000 there by hand and announce it'),
      config(`[mesh.nat]\n${ANNOUNCE}`),
      config(`[mesh.nat]\n${RELAYS}`),
    ]),
  ]
}

function relayCheck({ peerId, name, reserved, problem: why }: Nat['relays'][number], self: SelfDiagnosis): Check {
  if (reserved) return ok(AREA, 'relay', `is reached over the relay ${name}`)
  return problem(AREA, 'relay', `has no place at the relay ${name}: ${why ?? 'it is not connected'}`, [
    command(`qmtcode doctor ${peerId}`),
    config('[mesh.nat]\nserve = true', name),
    command(`qmtcode peers admit ${self.peerId}`, name),
  ])
}

const REACHED = [config(`[mesh.nat]\n${ANNOUNCE}`), config('[mesh.nat]\nupnp = true   # asks the router for it')]

/** Which NAT this node is behind, as its relays see it over UDP, and which peers stay relayed because of it. */
function seenChecks({ punch, seen, relays }: Nat): Check[] {
  if (punch !== true || !seen || !relays.some(({ reserved }) => reserved)) return []
  const as = seen.address === undefined ? '' : ` (seen as ${seen.address})`
  switch (seen.nat) {
    case 'none':
      return [ok(AREA, 'nat-kind', `no NAT${as}: ways to peers behind NATs are opened, whichever these have`)]
    case 'independent':
      return [
        ok(
          AREA,
          'nat-kind',
          `behind a NAT that keeps a port for all${as}: direct ways are opened, but not to every peer behind a symmetric NAT`,
        ),
      ]
    case 'symmetric':
      return [
        warning(AREA, 'nat-kind', `behind a symmetric NAT${as}: peers behind a symmetric or a port-restricted one stay relayed`, [
          advice('to be reached by all directly, one of these:'),
          ...REACHED,
        ]),
      ]
    case 'unknown': {
      if (seen.address !== undefined) return [ok(AREA, 'nat-kind', `seen as ${seen.address}; one answer does not tell which NAT it is`)]
      const text =
        'no relay says how this node is seen: none of them has STUN, or UDP is blocked on the way; peers behind NATs stay relayed'
      return [warning(AREA, 'nat-kind', text, STUN_FIXES)]
    }
  }
}

const STUN_FIXES = [
  command('sudo ufw allow 3478:3479/udp   # on the relay, with serve = true'),
  advice('a firewall before this node must let UDP out, and answers in'),
  ...REACHED,
]

function stunChecks({ stun }: NonNullable<Nat['serves']>): Check[] {
  if (!stun) return [] // a node of an earlier version
  if (stun.length > 1) return [ok(AREA, 'stun', `tells peers how they are seen, at UDP ${stun.join(' and ')}`)]
  return [
    warning(AREA, 'stun', 'tells no peer which NAT it is behind: its UDP ports for STUN are taken, so peers behind NATs stay relayed', [
      config('[mesh.nat]\nstun_port = 3478   # this port and the next one must be free'),
    ]),
  ]
}

/** Nothing says where this node is, and a peer is elsewhere: it works only while this side dials. */
function behindChecks(
  { listenAddresses }: SelfDiagnosis,
  { announced, upnp, mapped, relays }: Nat,
  peers: readonly PeerDiagnosis[],
): Check[] {
  if (announced.length > 0 || upnp === true || mapped.length > 0 || relays.length > 0) return []
  const hosts = listenAddresses.map((address) => address.split('/')[2] ?? '').filter((host) => !isLoopbackHost(host))
  const far = peers.filter(({ dials }) => dials.length > 0 && dials.every(({ isNear }) => !isNear)).map(({ name }) => name)
  if (hosts.length === 0 || !hosts.every(isPrivateHost) || far.length === 0) return []
  const text = `has private addresses only, and ${far.join(', ')} is in another network: behind a NAT nobody there can dial this node, it must dial`
  return [
    ok(AREA, 'nat', text, [
      advice('to be dialled, one of these:'),
      config(`[mesh.nat]\n${ANNOUNCE}`),
      config('[mesh.nat]\nupnp = true   # asks the router for it'),
      config(`[mesh.nat]\n${RELAYS}`),
    ]),
  ]
}
