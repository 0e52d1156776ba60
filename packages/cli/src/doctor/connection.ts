import type { DialReport, PeerDiagnosis, SelfDiagnosis } from '@qmtcode/protocol'
import { duration } from '../output/format.ts'
import { advice, command, config, ok, problem, warning } from './check.ts'
import type { Check, Fix } from './check.ts'

const AREA = 'Connection'

/** From the name to the handshake: why there is a link, or where it ends. */
export function connectionChecks(peer: PeerDiagnosis, self: SelfDiagnosis): Check[] {
  if (peer.unresolved) return [nameProblem(peer.unresolved)]
  return [
    nameCheck(peer),
    ...dnsChecks(peer),
    ...addressChecks(peer, self),
    ...handshakeChecks(peer, self),
    ...admissionChecks(peer, self),
    linkCheck(peer),
    ...clockChecks(peer),
  ]
}

export const isReached = ({ dials, link }: PeerDiagnosis): boolean =>
  link.state !== 'none' || dials.some(({ outcome }) => outcome === 'answered' || outcome === 'self')

function nameProblem({ code, message, hint }: NonNullable<PeerDiagnosis['unresolved']>): Check {
  const fixes =
    code === 'ambiguous'
      ? [advice('use the whole peer id, or more of it')]
      : [command('qmtcode peers'), advice('or give its address: qmtcode doctor /ip4/IP/tcp/PORT')]
  return problem(AREA, 'name', hint === undefined || code === 'ambiguous' ? message : `${message}; ${hint}`, fixes)
}

function nameCheck({ meaning, name, peerId }: PeerDiagnosis): Check {
  const id = peerId ?? 'not known before first contact'
  if (meaning === 'configured') return ok(AREA, 'name', `${name} is in [[mesh.peers]]; peer id ${id}`)
  if (meaning === 'known') return ok(AREA, 'name', `${name} is known here; peer id ${id}`)
  return ok(AREA, 'name', peerId === undefined ? 'an address; who answers there is not known' : `an address; peer id ${peerId}`)
}

const dnsChecks = ({ names }: PeerDiagnosis): Check[] =>
  names.map(({ name, addresses, problem: why }) =>
    why === undefined
      ? ok(AREA, 'dns', `${name} is ${addresses.join(', ')}`)
      : problem(AREA, 'dns', why, [
          command(`getent hosts ${name}`),
          config('addr = "/ip4/IP/tcp/PORT"   # in its [[mesh.peers]]: the address itself'),
        ]),
  )

/** Where the peer was reached, addresses that only others told do not matter. */
function addressChecks(peer: PeerDiagnosis, self: SelfDiagnosis): Check[] {
  const checks = peer.dials
    .filter(({ source, outcome }) => outcome === 'answered' || !isReached(peer) || source === 'configured' || source === 'given')
    .map((dial) => addressCheck(dial, peer, self))
  if (checks.length > 0 || peer.names.length > 0 || isReached(peer)) return checks
  return [
    problem(AREA, 'address', 'no address of it is known', [
      config('addr = "/ip4/IP/tcp/9000"   # in its [[mesh.peers]]'),
      advice('its addresses: what its own qmtcode doctor says it listens on'),
    ]),
  ]
}

/** How fixes name the other machine. */
const whereOf = ({ meaning, name, peerId }: PeerDiagnosis): string =>
  meaning === 'address' && peerId === undefined ? 'the other machine' : name

function addressCheck(dial: DialReport, peer: PeerDiagnosis, self: SelfDiagnosis): Check {
  const isHere = peer.link.address !== undefined && peer.link.address !== dial.address && dial.outcome !== 'answered'
  const say = peer.link.state !== 'none' && dial.outcome !== 'other_peer' ? warning : problem
  const text = (what: string): string => `${dial.address}: ${what}${isHere ? ' (it is linked all the same)' : ''}`
  const name = whereOf(peer)
  switch (dial.outcome) {
    case 'answered':
      return ok(AREA, 'address', `${dial.address}: answered in ${duration(dial.ms)}`)
    case 'self':
      return problem(AREA, 'address', text('that is this node itself'), [advice('give the address of the other machine')])
    case 'refused':
      return say(
        AREA,
        'address',
        text('refused at once: nothing listens on that port, or a firewall there refuses it'),
        refusedFixes(dial, name),
      )
    case 'silent':
      return say(AREA, 'address', text(silence(dial)), silentFixes(dial, name))
    case 'no_route':
      if (isElsewhere(dial)) return say(AREA, 'address', text(silence(dial)), silentFixes(dial, name))
      return say(AREA, 'address', text(`cannot be reached: ${dial.detail ?? 'this machine has no route to it'}`), [
        command(`ip route get ${hostOf(dial)}`),
        advice('is the address right, and is that machine on?'),
      ])
    case 'closed':
      return say(AREA, 'address', text('accepts the connection and closes it: a busy or full node, or no qmtcode'), [
        advice('wait a minute and try again: a node takes few strangers at once', name),
        command('qmtcode doctor', name),
      ])
    case 'foreign':
      return say(AREA, 'address', text(`${dial.detail ?? 'something else'} answers, no qmtcode`), [
        command('ss -ltnp | grep qmtcode', name),
        advice('then give the port that qmtcode prints as "listening: …" over there'),
      ])
    case 'other_peer':
      return problem(AREA, 'identity', otherPeer(dial, peer), otherPeerFixes(dial, peer, self))
    case 'banned':
      return problem(AREA, 'address', text(dial.detail ?? 'it is banned here'), [
        command(`qmtcode peers admit ${peer.peerId ?? 'PEER-ID'}`),
      ])
    case 'not_tried':
      return warning(AREA, 'address', text(`not tried: ${dial.detail ?? ''}`))
    case 'failed':
      return say(AREA, 'address', text(`failed: ${dial.detail ?? 'for no known reason'}`), relayedFixes(dial, name))
  }
}

const hostOf = ({ address }: DialReport): string => address.split('/')[2] ?? ''

/** In somebody's private network, which is none of ours. */
const isElsewhere = ({ isPrivate, isNear }: DialReport): boolean => isPrivate && !isNear

function silence(dial: DialReport): string {
  const { protocol, port } = dial
  const nothing = 'nothing came back'
  if (isElsewhere(dial))
    return `${nothing}; it is a private address of a network that this machine is not in: behind a router or NAT, or over a VPN that is down`
  return `${nothing}: the machine is off, or a firewall drops ${protocol.toUpperCase()} ${port ?? ''} silently`
}

function silentFixes(dial: DialReport, name: string): Fix[] {
  const { protocol, port } = dial
  if (isElsewhere(dial)) {
    return [
      advice(`forward ${protocol.toUpperCase()} ${port ?? 9000} of its router to it, and use the router's public address as addr`, name),
      advice('or let it dial this node: a link serves both directions', name),
    ]
  }
  return [
    command(`sudo ufw allow ${port ?? 9000}/${protocol}`, name),
    command(`sudo nft insert rule inet filter input ${protocol} dport ${port ?? 9000} accept`, name),
    command(`sudo ufw allow out ${port ?? 9000}/${protocol}`),
  ]
}

/** Both ends need the relay. */
function relayedFixes({ address }: DialReport, name: string): Fix[] {
  const [way = '', rest] = address.split('/p2p-circuit')
  const relay = way.split('/p2p/')[1]
  if (rest === undefined || relay === undefined) return []
  return [command(`qmtcode doctor ${way}`), config(`[mesh.nat]\nrelays = "${way}"`, name), command(`qmtcode doctor ${relay}`, name)]
}

const refusedFixes = ({ port, protocol }: DialReport, name: string): Fix[] => [
  command('qmtcode --headless --mesh', name),
  advice(`does it listen on that port? it prints "listening: …", and qmtcode doctor there says it`, name),
  command(`sudo ufw allow ${port ?? 9000}/${protocol}`, name),
]

const otherPeer = ({ address, peerId, answeredAs }: DialReport, peer: PeerDiagnosis): string =>
  `${address} answers as ${peerId ?? 'another peer'}${answeredAs === undefined ? '' : ` (${answeredAs})`}, not as ${peer.peerId ?? peer.name}: the address is another machine's, or ${peer.name} has a new identity`

function otherPeerFixes({ peerId }: DialReport, { meaning, peerId: expected }: PeerDiagnosis, self: SelfDiagnosis): Fix[] {
  if (meaning === 'configured' && self.configured.length > 0) {
    return [
      advice(`is it meant? compare with what qmtcode identity says over there: ${peerId ?? ''}`),
      config(`peer_id = "${peerId ?? ''}"   # in its [[mesh.peers]], if that is the new identity`),
      command(`qmtcode peers forget ${expected ?? ''}`),
    ]
  }
  return [
    advice(`is it meant? compare with what qmtcode identity says over there: ${peerId ?? ''}`),
    command(`qmtcode peers forget ${expected ?? ''}`),
  ]
}

function handshakeChecks({ hello, greeting, name }: PeerDiagnosis, { version }: SelfDiagnosis): Check[] {
  if (greeting && greeting.code !== 'not_admitted') {
    return [problem(AREA, 'handshake', greeting.message, greeting.hint === undefined ? [] : [advice(greeting.hint)])]
  }
  if (!hello) return []
  if (hello.version === version) return [ok(AREA, 'version', `qmtcode ${version} on both sides`)]
  return [
    warning(AREA, 'version', `qmtcode ${hello.version} there, ${version} here: what one does not know yet may be refused`, [
      advice('run the same version on both', name),
    ]),
  ]
}

/** Whom each side lets in. The command for the other side names this node. */
function admissionChecks({ hello, greeting, here, name, peerId }: PeerDiagnosis, self: SelfDiagnosis): Check[] {
  const admitUs = command(`qmtcode peers admit ${self.peerId}`, name)
  const checks: Check[] = []
  if (greeting?.code === 'not_admitted') {
    checks.push(
      problem(AREA, 'admitted-there', `${name} closes the connection: it has banned this node, or is dialled too often`, [admitUs]),
    )
  } else if (hello?.state === 'admitted') checks.push(ok(AREA, 'admitted-there', `${name} admits this node as ${hello.role ?? 'observer'}`))
  else if (hello?.state === 'unknown' && hello.role !== undefined) {
    checks.push(ok(AREA, 'admitted-there', `${name} lets everybody in as ${hello.role} (trust = "open")`))
  } else if (hello)
    checks.push(problem(AREA, 'admitted-there', `${name} does not know this node`, [admitUs, command('qmtcode invite', name)]))
  if (here?.trust === 'admitted') checks.push(ok(AREA, 'admitted-here', `this node admits ${name} as ${here.role ?? 'observer'}`))
  else if (here?.trust === 'banned') {
    checks.push(problem(AREA, 'admitted-here', `${name} is banned here`, [command(`qmtcode peers admit ${peerId ?? 'PEER-ID'}`)]))
  } else if (here && hello) {
    checks.push(
      warning(AREA, 'admitted-here', `this node does not know ${name}, so it may do nothing here`, [
        command(`qmtcode peers admit ${peerId ?? 'PEER-ID'}`),
      ]),
    )
  }
  return checks
}

function linkCheck(peer: PeerDiagnosis): Check {
  const { link, name } = peer
  const over = link.address === undefined ? '' : ` over ${link.address}`
  if (link.state === 'suspect')
    return warning(AREA, 'link', `the link${over} is suspect: nothing was heard for a while`, [advice('see Speed')])
  if (link.state === 'up') {
    return link.relayed
      ? warning(AREA, 'link', `linked through a relay${over}: slower than a direct link${because(link)}`, [
          advice(`forward TCP 9000 to ${name} or to this node, and announce it there`),
        ])
      : ok(AREA, 'link', `linked directly${over}${link.punched === true ? ', through a way that both opened through their NATs' : ''}`)
  }
  if (peer.dials.some(({ outcome }) => outcome === 'self')) return problem(AREA, 'link', 'a node is not linked to itself')
  return isReached(peer)
    ? problem(AREA, 'link', 'reached, and not linked: see what is wrong above')
    : problem(AREA, 'link', `no link to ${name === whereOf(peer) ? name : 'it'}`)
}

const because = ({ relayedBecause }: PeerDiagnosis['link']): string => (relayedBecause === undefined ? '' : `; ${relayedBecause}`)

const MAX_SKEW_MS = 60_000

function clockChecks({ hello, name }: PeerDiagnosis): Check[] {
  const ahead = hello?.clockAheadMs
  if (ahead === undefined) return []
  const by = `${name}'s clock is ${duration(Math.abs(ahead))} ${ahead >= 0 ? 'ahead' : 'behind'}`
  if (Math.abs(ahead) <= MAX_SKEW_MS) return [ok(AREA, 'clock', by)]
  return [
    warning(AREA, 'clock', `${by}: invites and grants may count as expired, or as not begun`, [
      command('timedatectl'),
      command('sudo timedatectl set-ntp true', name),
      command('sudo timedatectl set-ntp true'),
    ]),
  ]
}
