import { AppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { isRelayed, parseDialAddress, peerIdOf, relayOf } from '../addresses/multiaddrs.ts'
import type { ConfiguredPeer } from '../node-types.ts'
import type { NatOptions } from './nat-options.ts'

/** The relays that the configuration names. Throws bad_config for one without a peer id. */
export function configuredRelays({ relay, relays }: NatOptions): PeerId[] {
  if (relay === 'none') return []
  return relays.map((text) => {
    const address = parseDialAddress(text)
    const peerId = peerIdOf(address)
    if (peerId !== undefined && !isRelayed(address)) return peerId
    throw new AppError('bad_config', `${text} is no address of a relay`, {
      hint: 'a relay in [mesh.nat] reads /ip4/…/tcp/…/p2p/ID; its id: qmtcode identity, on the relay',
    })
  })
}

/** `peers`, and the relays among and before them that nobody named: they are kept linked, are observers here, and get no prompts. */
export function withRelays(peers: readonly ConfiguredPeer[], nat: NatOptions): ConfiguredPeer[] {
  if (nat.relay === 'none') return [...peers]
  const addresses = [
    ...nat.relays.map((text) => parseDialAddress(text)),
    ...peers.flatMap(({ addr }) => {
      const relay = addr === undefined ? undefined : relayOf(parseDialAddress(addr))
      return relay ? [relay.address.encapsulate(`/p2p/${relay.peerId}`)] : []
    }),
  ]
  const known = new Set(peers.map((peer) => peer.peerId ?? (peer.addr === undefined ? undefined : peerIdOf(parseDialAddress(peer.addr)))))
  const added: ConfiguredPeer[] = []
  for (const address of addresses) {
    const peerId = peerIdOf(address)
    if (peerId === undefined || known.has(peerId)) continue
    known.add(peerId)
    added.push({ name: `relay-${peerId.slice(-6)}`, addr: address.toString(), peerId, use: false, labels: [] })
  }
  return [...peers, ...added]
}
