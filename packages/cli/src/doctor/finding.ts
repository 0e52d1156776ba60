import type { PeerDiagnosis, SelfDiagnosis } from '@qmtcode/protocol'
import { isReached } from './connection.ts'
import { config, ok, problem, warning } from './check.ts'
import type { Check } from './check.ts'

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
  if (isFound) return [ok(AREA, 'found', `discovery told of ${name} in the last two minutes${near}`)]
  if (discovery.length === 0) return [ok(AREA, 'found', `discovery is off here${near === '' ? '' : `; ${name} is${near.slice(1)}`}`)]
  const say = isReached(peer) ? ok : problem
  if (!discovery.includes('kademlia') && !isNear && dials.length > 0) {
    return [
      say(AREA, 'found', `not found: mdns ends at the own network, and ${name} is${near.slice(1)}`, isReached(peer) ? [] : [kademlia()]),
    ]
  }
  if (multicast && !multicast.own) {
    const text = `not found: multicast does not pass on this machine (see This node)`
    return [isReached(peer) ? ok(AREA, 'found', text) : problem(AREA, 'found', text, [addr(), kademlia()])]
  }
  const text = `discovery (${discovery.join(', ')}) has not told of ${name}${near}`
  return [isReached(peer) ? ok(AREA, 'found', text) : warning(AREA, 'found', text, [config('[mesh]\ndiscovery = "mdns"', name), addr()])]
}

const kademlia = () => config('[mesh]\ndiscovery = ["mdns", "kademlia"]   # on both, and on a peer that both know')
const addr = () => config('addr = "/ip4/IP/tcp/9000"   # in its [[mesh.peers]]')

function recordCheck({ record, link, name }: PeerDiagnosis): Check[] {
  if (record) return [ok(AREA, 'record', `${name} told what it offers`)]
  return link.state === 'up' ? [warning(AREA, 'record', `linked, and ${name} has not told what it offers yet`)] : []
}
