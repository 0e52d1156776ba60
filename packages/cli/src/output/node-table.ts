import type { KnownPeer, PeerInfo } from '@qmtcode/protocol'
import { shortPeerIds } from './format.ts'
import { printableLine } from './printable.ts'
import type { Style } from './style.ts'
import type { Column } from './table.ts'

/** A node as `--json` gives it: every field of the contract, null where it is not known. */
export function nodeJson(peer: PeerInfo): Record<string, unknown> {
  const { role = null, roleThere = null, rttMs = null, version = null, problem = null, heard = null, hasRecord: _, ...rest } = peer
  return { ...rest, role, roleThere, rttMs, version, problem, heard }
}

/** The nodes to work with: this one, the admitted, those that prompts may go to, and those that members tell of. */
export const isNode = (peer: PeerInfo): boolean =>
  peer.self || peer.trust === 'admitted' || peer.use || (peer.heard !== undefined && peer.trust !== 'banned')

/** Every peer there is an opinion on, or that knocked: `known` fills in those that the mesh does not list. */
export function allPeers(listed: readonly PeerInfo[], known: readonly KnownPeer[]): PeerInfo[] {
  const ids = new Set(listed.map((peer) => peer.peerId))
  const others = known.filter((peer) => !ids.has(peer.peerId)).map(infoOf)
  return [...listed.filter((peer) => !peer.self), ...others]
}

function infoOf(peer: KnownPeer): PeerInfo {
  return {
    name: peer.name ?? '',
    peerId: peer.peerId,
    self: false,
    state: 'offline',
    trust: peer.trust,
    role: peer.role,
    use: peer.use,
    relayed: false,
    addresses: peer.addresses,
    bytesIn: 0,
    bytesOut: 0,
    labels: [],
    models: [],
    agents: [],
    sessions: 0,
    load: { inFlight: 0, slots: 0, queued: 0 },
  }
}

/** Columns of the terminal that a row of `peers` needs with whole ids. */
const WHOLE_IDS_WIDTH = 80

/** `isOfPeers`: for `peers`, whose commands take whole ids: shown where `width` has room for them. */
export function nodeColumns(
  peers: readonly PeerInfo[],
  style: Style,
  { isOfPeers, width = Infinity }: { isOfPeers: boolean; width?: number },
): Column<PeerInfo>[] {
  const wholeIds = isOfPeers && width >= WHOLE_IDS_WIDTH
  const short = shortPeerIds(peers.map((peer) => peer.peerId))
  return [
    { title: 'NAME', value: (peer) => printableLine(peer.name, 63), min: 16, paint: (cell, peer) => (peer.self ? style.bold(cell) : cell) },
    { title: 'PEER ID', value: (peer) => (wholeIds ? peer.peerId : (short.get(peer.peerId) ?? peer.peerId)), paint: style.dim },
    { title: 'STATE', value: stateOf, paint: (cell, peer) => paintState(cell, peer, style), spare: 1 },
    { title: 'TRUST', value: (peer) => (peer.self ? '' : peer.trust) },
    { title: 'ROLE', value: (peer) => (peer.self ? '' : (peer.role ?? '')), spare: 4 },
    { title: 'ROLE THERE', value: (peer) => (peer.self ? '' : (peer.roleThere ?? '')), spare: 5 },
    { title: 'USE', value: (peer) => (peer.self ? '' : peer.use ? 'yes' : 'no'), spare: 3 },
    { title: 'RTT', value: (peer) => (peer.rttMs === undefined ? '' : `${peer.rttMs.toFixed(1)} ms`), align: 'right', spare: 6 },
    { title: 'LOAD', value: loadOf, align: 'right', spare: 7 },
    { title: 'MODELS', value: (peer) => (isOfPeers ? '' : printableLine(peer.models.join(' '), 300)), min: 8 },
    { title: 'ADDRESS', value: (peer) => (isOfPeers ? printableLine(peer.addresses[0] ?? '') : ''), min: 12, spare: 2 },
  ]
}

function stateOf(peer: PeerInfo): string {
  if (peer.self) return 'this node'
  if (peer.heard && peer.state === 'offline') return 'heard of'
  if (peer.relayed) return `${peer.state}, relayed`
  return peer.punched === true ? `${peer.state}, punched` : peer.state
}

/** What is wrong with each of them, a line each below their table: whole, since it says what to do. */
export const problemLines = (peers: readonly PeerInfo[]): string[] =>
  peers.flatMap(({ name, problem, relayedBecause }) => {
    const text = problem ?? (relayedBecause === undefined ? undefined : `relayed: ${relayedBecause}`)
    if (text === undefined) return []
    const called = printableLine(name, 63)
    const said = printableLine(text, 300)
    return [said.includes(called) ? said : `${called}: ${said}`]
  })

const loadOf = ({ load }: PeerInfo): string => {
  if (load.slots === 0) return ''
  return `${load.inFlight}/${load.slots}${load.queued > 0 ? ` +${load.queued}` : ''}`
}

function paintState(cell: string, peer: PeerInfo, style: Style): string {
  if (peer.self || peer.state === 'connected') return style.green(cell)
  return peer.state === 'offline' ? style.dim(cell) : style.yellow(cell)
}
