import { AppError, modelsContract, modelsOverRpc, sessionsContract, sessionsOverRpc } from '@qmtcode/protocol'
import type { Contract, MeshEvent, PeerId, PeerInfo, Peers } from '@qmtcode/protocol'
import { isConnected } from '../links/link.ts'
import { serviceRefusalOf, unreachableHint } from '../links/refusal.ts'
import type { Nat } from '../nat/nat.ts'
import type { Punching } from '../nat/punch/punching.ts'
import type { ConfiguredPeer } from '../node-types.ts'
import { lastingClient } from './lasting-client.ts'
import type { ContractCaller } from './lasting-client.ts'
import { peerInfo, selfInfo } from './peer-info.ts'
import type { PeerInfoComponents } from './peer-info.ts'
import { resolvePeer } from './resolve.ts'

export interface PeersComponents extends PeerInfoComponents {
  nat: Nat
  punching: Punching
  addresses(): string[]
  follow(options?: { signal?: AbortSignal }): AsyncIterable<MeshEvent>
}
export interface PeersOptions {
  self: { peerId: PeerId; name: string; version: string }
  configured: readonly ConfiguredPeer[]
}

export function createPeers(components: PeersComponents, options: PeersOptions): Peers {
  const { trust, links, keeper, addresses } = components
  const { self, configured } = options

  /** The client of a peer's present connection, if `contract` may be called there and prompts may go there. */
  async function connect(peerId: PeerId, contract: Contract, signal?: AbortSignal): Promise<ContractCaller> {
    const name = trust.nameOf(peerId)
    const { state, use } = trust.standing(peerId)
    if (state === 'banned') throw new AppError('forbidden', `${name} is banned here`, { hint: `qmtcode peers admit ${peerId}` })
    if (!use) throw new AppError('forbidden', `nothing may be sent to ${name}`, { hint: `qmtcode peers use ${name}` })
    if (!isConnected(links.get(peerId))) await keeper.reach(peerId, signal)
    const link = links.get(peerId)
    const [line] = link?.lines ?? []
    if (!link?.there || !line) throw new AppError('peer_unreachable', `${name} is not connected`, { hint: unreachableHint(name) })
    const refusal = serviceRefusalOf(name, self.peerId, link.there, contract.service)
    if (refusal) throw refusal
    return line.rpc
  }
  const clientOf = (peerId: PeerId): ContractCaller => {
    if (peerId === self.peerId) throw new AppError('bad_request', 'this node does not call itself over the mesh')
    return lastingClient((contract, signal) => connect(peerId, contract, signal))
  }
  const strangers = async (): Promise<PeerId[]> => [
    ...links.all().map((link) => link.peerId),
    ...components.heard.ids(),
    ...(await trust.list()).map((known) => known.peerId),
  ]

  return {
    status: () =>
      Promise.resolve({
        ...self,
        listenAddresses: addresses(),
        connectedPeers: links.all().filter((link) => link.isUp).length,
        unmet: keeper.unmet(),
        problems: [...components.discovery.problems(), ...components.nat.problems()],
        nat: { ...components.nat.status(), ...components.punching.status() },
      }),
    list(): Promise<PeerInfo[]> {
      const ids = new Set([
        ...trust.known(),
        ...links.all().map((link) => link.peerId),
        ...components.heard.ids(),
        ...components.discovery.nearby(),
      ])
      return Promise.resolve([
        selfInfo({ ...self, addresses: [...addresses(), ...components.nat.addresses()] }, components),
        ...[...ids].map((peerId) => peerInfo(peerId, components)),
      ])
    },
    resolve: (name) => resolvePeer(name, { self, trust, configured, strangers, meet: (peer) => keeper.meet(peer) }),
    models: (peerId) => modelsOverRpc(clientOf(peerId).client(modelsContract)),
    sessions: (peerId) => sessionsOverRpc(clientOf(peerId).client(sessionsContract)),
    follow: components.follow,
  }
}
