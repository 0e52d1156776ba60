import type { Gossip, KeptSet } from '@qmtcode/mesh/gossip'
import { createBell, rowKeyOf } from '@qmtcode/protocol'
import type { MeshSessionRow, PeerId, PeerInfo, Peers, SessionId, SessionInfo, SessionRowEvent, SessionRows } from '@qmtcode/protocol'
import type { OwnRows } from './own-rows.ts'
import { rowOf } from './shared-rows.ts'
import type { SharedRow } from './shared-rows.ts'

export interface SessionRowsComponents {
  own: OwnRows
  /** This node. */
  node: { name: string; peerId?: PeerId }
  /** Absent: the mesh is not enabled. */
  mesh?: { set: KeptSet<SharedRow>; gossip: Gossip; peers: Pick<Peers, 'list'> }
}

export function createSessionRows({ own, node, mesh }: SessionRowsComponents): SessionRows {
  const ownRow = (info: SessionInfo): MeshSessionRow => ({ ...rowOf(info), node: node.name, peerId: node.peerId, live: true })

  async function peersById(): Promise<ReadonlyMap<PeerId, PeerInfo>> {
    return new Map(((await mesh?.peers.list()) ?? []).map((peer) => [peer.peerId, peer]))
  }
  function heardRow(key: string, peers: ReadonlyMap<PeerId, PeerInfo>): MeshSessionRow | undefined {
    const kept = mesh?.set.read(key)
    if (kept?.value?.type !== 'row' || !kept.from) return undefined
    const { author } = kept.entry
    const host = peers.get(author)
    const live = host?.state === 'connected' || host?.state === 'suspect'
    const via = mesh?.gossip.contactOf(author)
    const heard = { at: via?.at ?? kept.at, via: peers.get(via?.via ?? kept.from)?.name ?? kept.from }
    return { ...kept.value.row, node: host?.name ?? author, peerId: author, live, ...(!live && { heard }) }
  }
  function rowAt(key: string, peers: ReadonlyMap<PeerId, PeerInfo>): MeshSessionRow | undefined {
    const [peerId = '', id = ''] = key.split('/')
    if (peerId !== (node.peerId ?? '')) return heardRow(key, peers)
    const info = own.get(id as SessionId)
    return info && ownRow(info)
  }
  const keys = (): string[] => [
    ...own.all().map(({ id }) => rowKeyOf({ id, peerId: node.peerId })),
    ...[...(mesh?.set.all() ?? [])].flatMap(({ entry, value, from }) => (from && value?.type === 'row' ? [entry.key] : [])),
  ]
  async function* follow(signal: AbortSignal | undefined): AsyncGenerator<SessionRowEvent> {
    const bell = createBell()
    const changed = new Set<string>()
    const note = (key: string): void => {
      changed.add(key)
      bell.ring()
    }
    const leaving = [own.onChange((id) => note(rowKeyOf({ id, peerId: node.peerId }))), mesh?.set.onUpdate(note)]
    const shown = new Set<string>()
    const isOver = (): boolean => signal?.aborted === true
    try {
      for (const key of keys()) changed.add(key)
      while (!isOver()) {
        const batch = [...changed]
        changed.clear()
        const peers = batch.length > 0 ? await peersById() : new Map<PeerId, PeerInfo>()
        for (const key of batch) {
          const row = rowAt(key, peers)
          if (row) yield { type: 'row.changed', row }
          else if (shown.has(key)) yield removed(key)
          if (row) shown.add(key)
          else shown.delete(key)
        }
        if (changed.size === 0) await bell.heard({ signal })
      }
    } finally {
      for (const leave of leaving) leave?.()
    }
  }
  return {
    list: async () => {
      const peers = await peersById()
      return keys()
        .flatMap((key) => rowAt(key, peers) ?? [])
        .toSorted((a, b) => b.updatedAt - a.updatedAt)
    },
    follow: ({ signal } = {}) => follow(signal),
  }
}

function removed(key: string): SessionRowEvent {
  const [peerId = '', id = ''] = key.split('/')
  return { type: 'row.removed', id: id as SessionId, ...(peerId !== '' && { peerId: peerId as PeerId }) }
}
