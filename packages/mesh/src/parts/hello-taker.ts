import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@qmtcode/protocol'
import { withoutPeerId } from '../addresses/multiaddrs.ts'
import type { GreeterComponents } from '../handshake/greeter.ts'
import type { Hello } from '../handshake/hello.ts'
import type { LaterParts, PartsComponents, TrustParts } from './parts.ts'

/** What follows from a hello: a knock is shown to a person, a name is pinned, the connection becomes a line of a link, and who waits for links looks. */
export function createHelloTaker(
  { clock, audit }: PartsComponents,
  { events, trust, arrivals, claimName }: Pick<TrustParts, 'events' | 'trust' | 'arrivals' | 'claimName'>,
  later: LaterParts,
): GreeterComponents['onHello'] {
  function knock(connection: Connection, hello: Hello): void {
    const asked = {
      peerId: connection.remotePeer.toString() as PeerId,
      name: hello.name,
      address: withoutPeerId(connection.remoteAddr).toString(),
    }
    audit.note({ kind: 'request', direction: 'in', what: 'admission', ...asked, outcome: 'not_admitted' })
    if (trust.knock(asked)) events.emit({ type: 'peer.knocked', at: clock.now(), ...asked })
  }
  return (connection, hello) => {
    const { host, links, settle, keeper, nat, upgrades } = later.links()
    const peerId = connection.remotePeer.toString() as PeerId
    const standing = trust.standing(peerId)
    arrivals.greeted(connection)
    if (hello.state === 'admitted') host.identifyAgain(connection)
    if (standing.state === 'unknown' && !standing.open && connection.direction === 'inbound') knock(connection, hello)
    if (standing.state === 'admitted') claimName(peerId, hello.name)
    links.greeted(connection, hello)
    const link = links.get(peerId)
    if (link) settle(link)
    keeper.wake()
    nat.wake()
    upgrades.wake()
  }
}
