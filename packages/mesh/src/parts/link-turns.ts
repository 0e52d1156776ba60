import type { Connection } from '@libp2p/interface'
import { modelsContract, roleIncludes } from '@qmtcode/protocol'
import type { Contract, PeerId } from '@qmtcode/protocol'
import { directoryContract } from '../directory/contract.ts'
import { gossipContract } from '../gossip/contract.ts'
import type { Link } from '../links/link.ts'
import { bansContract } from '../trust/ban-news.ts'
import type { LaterParts, PartsComponents, TrustParts } from './parts.ts'

const WARM_STREAMS = 2

interface LinkTurns {
  /** See `LinkParts.settle`. */
  settle(link: Link): void
  closed(connection: Connection): void
}

/** What follows when a link comes up or goes, and when a connection ends. */
export function createLinkTurns(
  { log }: PartsComponents,
  { trust, arrivals, bans }: Pick<TrustParts, 'trust' | 'arrivals' | 'bans'>,
  later: LaterParts,
): LinkTurns {
  function settle(link: Link): void {
    const { directory, gossip, discovery } = later.knowledge()
    const { peerId, lines } = link
    const serves = (contract: Contract): boolean => link.isUp && link.there?.services.includes(contract.service) === true
    follow(bans, peerId, serves(bansContract))
    follow(directory, peerId, serves(directoryContract))
    follow(gossip, peerId, serves(gossipContract) && roleIncludes(trust.standing(peerId).role, 'member'))
    if (link.isUp) discovery.linked(peerId)
    if (serves(modelsContract) && trust.standing(peerId).use)
      lines[0]?.rpc.warm(modelsContract, WARM_STREAMS).catch((error: unknown) => log.debug('not warmed', { peerId, error: String(error) }))
  }
  function closed(connection: Connection): void {
    const { links, keeper, host } = later.links()
    arrivals.closed(connection)
    links.closed(connection)
    keeper.wake()
    const peerId = connection.remotePeer.toString() as PeerId
    if (trust.known().includes(peerId)) return
    if (!links.get(peerId)) later.knowledge().directory.forget(peerId)
    host.libp2p.peerStore.delete(connection.remotePeer).catch((error: unknown) => log.debug('peer store', { error: String(error) }))
  }
  return { settle, closed }
}

function follow(part: { join(peerId: PeerId): void; leave(peerId: PeerId): void }, peerId: PeerId, isJoined: boolean): void {
  if (isJoined) part.join(peerId)
  else part.leave(peerId)
}
