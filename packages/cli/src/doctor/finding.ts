import type { PeerDiagnosis, SelfDiagnosis } from '@qmtcode/protocol'
import { isReached } from './connection.ts'
import { advice, config, ok, problem, warning } from './check.ts'
import type { Check, Fix } from './check.ts'

const AREA = 'Discovery'

/** Whether the peer could be found without an address in the configuration. */
export function findingChecks(peer: PeerDiagnosis, self: SelfDiagnosis): Check[] {
  if (peer.unresolved || peer.peerId === undefined) return []
  return [foundCheck(peer, self), recordCheck(peer)].flat()
}

function foundCheck(peer: PeerDiagnosis, { discovery, multicast }: SelfDiagnosis): Check[] {
  const { name, isFound, dials } = peer
  const isNear = dials.some((dial) => dial.isNear)
  const near = dials.length === 0 ? '' : isNear ? ', in a network of this machine' : ', in another network than this machine'
  /** What was not found and is reached all the same is no problem. */
  const unfound = (text: string, fixes: Fix[]): Check[] => [
    isReached(peer) ? ok(AREA, 'found', `${text}; found by its address`) : problem(AREA, 'found', text, fixes),
  ]
  if (isFound) return [ok(AREA, 'found', `discovery told of ${name} in the last two minutes${near}`)]
  if (discovery.length === 0) return unfound(`discovery is off here${near === '' ? '' : `; ${name} is${near.slice(1)}`}`, [mdns(), addr()])
  if (!discovery.includes('kademlia') && !isNear && dials.length > 0) {
    return unfound(`mdns ends at the own network, and ${name} is${near.slice(1)}`, [kademlia()])
  }
  if (multicast && !multicast.own) {
    return unfound('mdns cannot find it: multicast does not pass on this machine (see This node)', [addr(), kademlia()])
  }
  return unfound(`discovery (${discovery.join(', ')}) has not told of ${name}${near}`, [
    advice('is qmtcode running there, with discovery on and UDP 5353 open?', name),
    addr(),
  ])
}

const mdns = (): Fix => config('[mesh]\ndiscovery = "mdns"   # on both')
const kademlia = (): Fix => config('[mesh]\ndiscovery = ["mdns", "kademlia"]   # on both, and on a peer that both know')
const addr = (): Fix => config('addr = "/ip4/IP/tcp/9000"   # in its [[mesh.peers]]')

function recordCheck({ record, link, name }: PeerDiagnosis): Check[] {
  if (record) return [ok(AREA, 'record', `${name} told what it offers`)]
  return link.state === 'up' ? [warning(AREA, 'record', `linked, and ${name} has not told what it offers yet`)] : []
}
