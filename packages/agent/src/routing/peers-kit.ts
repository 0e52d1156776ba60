import { AppError } from '@qmtcode/protocol'
import type { MeshEvent, ModelPart, ModelRequest, Models, PeerId, PeerInfo, Peers } from '@qmtcode/protocol'

/** Peers in memory, for tests of routing: what the mesh would say of them, without a network. */
export interface PeersKit {
  peers: Peers
  /** Calls that reached a peer, by its name. */
  calls: { peer: string; request: ModelRequest }[]
  /** Adds a peer, or replaces the one of that name, and tells followers. */
  set(name: string, peer: Partial<KitPeer>): PeerId
}

interface KitPeer {
  info: Partial<PeerInfo>
  models: string[]
  /** What its models throw before the first part. */
  error: Error
  parts: ModelPart[]
  /** Thrown behind `parts`. */
  end: Error
}

export const SELF = '12D3KooWSe1fSe1fSe1fSe1fSe1fSe1fSe1fSe1fSe1fSe1fSe1' as PeerId

export const FINISH: ModelPart = {
  type: 'finish',
  finishReason: { unified: 'stop', raw: 'stop' },
  usage: {
    inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 1, text: 1, reasoning: undefined },
  },
}

export function createPeersKit(): PeersKit {
  const known = new Map<string, Partial<KitPeer> & { peerId: PeerId }>()
  const calls: PeersKit['calls'] = []
  const followers = new Set<(event: MeshEvent) => void>()
  const byId = (peerId: PeerId) => [...known].find(([, peer]) => peer.peerId === peerId)

  const peers = {
    list: () =>
      Promise.resolve([infoOf('me', SELF, { info: { self: true } }), ...[...known].map(([name, peer]) => infoOf(name, peer.peerId, peer))]),
    resolve: (name: string) => {
      const peer = known.get(name)
      if (name === 'me' && peer) return Promise.reject(new AppError('ambiguous', `me is ${SELF} (this node) and ${peer.peerId} (me)`))
      if (name === 'me') return Promise.resolve({ peerId: SELF, name, self: true })
      if (!peer) return Promise.reject(new AppError('not_found', `no peer is called "${name}"`, { hint: 'known: …' }))
      return Promise.resolve({ peerId: peer.peerId, name, self: false })
    },
    models: (peerId: PeerId) => modelsOf(peerId),
    async *follow({ signal }: { signal?: AbortSignal } = {}) {
      const queue: MeshEvent[] = []
      let wake = (): void => {}
      const listener = (event: MeshEvent): void => {
        queue.push(event)
        wake()
      }
      followers.add(listener)
      signal?.addEventListener('abort', () => wake())
      const isOpen = (): boolean => signal?.aborted !== true
      while (isOpen()) {
        const event = queue.shift()
        if (event) yield event
        else await new Promise<void>((resolve) => (wake = resolve))
      }
      followers.delete(listener)
    },
  } as unknown as Peers

  const modelsOf = (peerId: PeerId): Models => {
    const [name = '', peer] = byId(peerId) ?? []
    return {
      offers: () =>
        Promise.resolve(
          (peer?.models ?? []).map((id) => ({
            id,
            provider: id.split('/')[0] ?? '',
            model: id.slice(id.indexOf('/') + 1),
            slots: 8,
            inFlight: 0,
          })),
        ),
      async *stream(request) {
        calls.push({ peer: name, request })
        if (peer?.error) throw peer.error
        yield* peer?.parts ?? [FINISH]
        if (peer?.end) throw peer.end
        if (peer?.parts && peer.parts.at(-1)?.type !== 'finish') yield FINISH
      },
    }
  }
  return {
    peers,
    calls,
    set(name, peer) {
      const peerId = `12D3KooW${name.replaceAll(/[^a-zA-Z]/g, '')}`.padEnd(52, 'x') as PeerId
      known.set(name, { ...peer, peerId })
      for (const tell of followers) tell({ type: 'peer.changed', at: 0, peerId, name })
      return peerId
    },
  }
}

function infoOf(name: string, peerId: PeerId, { info, models }: Partial<KitPeer>): PeerInfo {
  return {
    name,
    peerId,
    self: false,
    state: 'connected',
    trust: 'admitted',
    roleThere: 'client',
    use: true,
    relayed: false,
    addresses: [],
    bytesIn: 0,
    bytesOut: 0,
    labels: [],
    models: models ?? [],
    agents: [],
    sessions: 0,
    load: { inFlight: 0, slots: 8, queued: 0 },
    ...info,
  }
}

export async function readAll<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
