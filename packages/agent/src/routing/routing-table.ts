import { createBell, silentLogger } from '@qmtcode/protocol'
import type { AgentSpec, Logger, PeerId, PeerInfo, Peers, Routes, RoutingPolicy, RoutingSnapshot } from '@qmtcode/protocol'
import { isUsable } from './usable-peers.ts'

export interface RoutingTableComponents {
  node: { name: string; peerId?: PeerId }
  /** Absent where no mesh runs. */
  peers?: Peers
  log?: Logger
}

/** Agent → where its model calls go. One writer, immutable snapshots, renewed as peers come, go and change. */
export interface RoutingTable extends Routes, AsyncDisposable {
  /** Resolves when the first snapshot that knows the peers is there. */
  start(): Promise<void>
  stop(): Promise<void>
}

export function createRoutingTable(components: RoutingTableComponents, agents: readonly AgentSpec[]): RoutingTable {
  const { node, peers, log = silentLogger } = components
  const stopped = new AbortController()
  const changed = createBell()
  let snapshot = snapshotOf(agents.map((agent) => policyOf(agent, node, [])))
  let following: Promise<void> | undefined
  let renewing: Promise<void> | undefined
  let isStale = false

  const publish = (next: RoutingSnapshot): void => {
    if (isSame(next, snapshot)) return
    snapshot = next
    changed.ring()
  }
  const renewAll = async (): Promise<void> => {
    while (isStale && !stopped.signal.aborted) {
      isStale = false
      const list = (await peers?.list()) ?? []
      publish(snapshotOf(agents.map((agent) => policyOf(agent, node, list))))
    }
  }
  /** Many events in a row make one more look, not one each. */
  const renew = (): Promise<void> => {
    isStale = true
    renewing ??= renewAll()
      .catch((error: unknown) => log.warn('routes were not renewed', { error: String(error) }))
      .finally(() => (renewing = undefined))
    return renewing
  }
  const followPeers = async (): Promise<void> => {
    for await (const _event of peers?.follow({ signal: stopped.signal }) ?? []) renew().catch(() => {})
  }
  const stop = async (): Promise<void> => {
    stopped.abort()
    await following
    await renewing
  }

  return {
    load: () => snapshot,
    async *follow({ signal } = {}) {
      const ended = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal
      let seen: RoutingSnapshot | undefined
      while (!ended.aborted) {
        if (snapshot !== seen) {
          seen = snapshot
          yield snapshot
        } else await changed.heard({ signal: ended })
      }
    },
    async start() {
      following ??= followPeers().catch((error: unknown) => log.warn('routes no longer follow the peers', { error: String(error) }))
      await renew()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function snapshotOf(policies: readonly RoutingPolicy[]): RoutingSnapshot {
  const frozen = Object.freeze(policies.map((policy) => Object.freeze(policy)))
  const byAgent = new Map(frozen.map((policy) => [policy.agentId, policy]))
  return Object.freeze({ get: (agentId: string) => byAgent.get(agentId), policies: () => frozen })
}

const isSame = (one: RoutingSnapshot, other: RoutingSnapshot): boolean =>
  JSON.stringify(one.policies()) === JSON.stringify(other.policies())

function policyOf({ id, target }: AgentSpec, node: { name: string; peerId?: PeerId }, peers: readonly PeerInfo[]): RoutingPolicy {
  const base = { agentId: id, providerTarget: target }
  switch (target.kind) {
    case 'local':
      return { ...base, resolvedProviderNodeId: node.peerId, reason: 'models of this node' }
    case 'any':
      return { ...base, reason: 'decided at each call: this node if it has the model, else a usable peer that offers it' }
    case 'peer': {
      const found = peersCalled(target.peer, peers)
      const [peer] = found
      if (found.length > 1) return { ...base, reason: `"${target.peer}" is ambiguous: ${found.map(({ peerId }) => peerId).join(', ')}` }
      if (target.peer === node.name || peer?.self) return { ...base, resolvedProviderNodeId: node.peerId, reason: 'this node' }
      if (!peer) return { ...base, reason: `no peer "${target.peer}" is known now` }
      return { ...base, resolvedProviderNodeId: peer.peerId, reason: standingOf(peer) }
    }
  }
}

const PREFIX_CHARS = 14 // what all ed25519 peer ids begin with, and six more

function peersCalled(name: string, peers: readonly PeerInfo[]): PeerInfo[] {
  const named = peers.filter((peer) => peer.name === name || peer.peerId === name)
  if (named.length > 0 || name.length < PREFIX_CHARS) return named
  return peers.filter((peer) => peer.peerId.startsWith(name))
}

function standingOf(peer: PeerInfo): string {
  if (peer.trust === 'banned') return `${peer.name} is banned here`
  if (!peer.use) return `nothing may be sent to ${peer.name}: qmtcode peers use ${peer.name}`
  if (isUsable(peer)) return `${peer.name} is connected`
  if (peer.state === 'connected' || peer.state === 'suspect') return `${peer.name} does not let this node use its models`
  return `${peer.name} is ${peer.state}${peer.problem === undefined ? '' : `: ${peer.problem}`}`
}
