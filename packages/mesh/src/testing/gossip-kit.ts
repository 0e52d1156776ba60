import { eventually } from '@qmtcode/testing'
import { createKeptSet } from '../gossip/kept-set.ts'
import type { KeptSet } from '../gossip/kept-set.ts'
import { connected, makeNode, startNode } from './mesh-kit.ts'
import type { TestNode, TestNodeOptions } from './mesh-kit.ts'

/** A node with a set of texts that it gossips. */
export interface Gossiper extends TestNode {
  texts: KeptSet<string>
  say(id: string, text: string): Promise<void>
}

const QUICK = { coalesceMs: 5, digestMs: 30_000, retryMs: 50 }

export interface GossipersOptions {
  /** Members for each other, by the configuration. */
  links: [string, string][]
  /** Members for each other by a decision, which a test may take back. */
  decided?: [string, string][]
  node?: TestNodeOptions
}

/** A node that is not started yet has an id that others admit first. */
export async function startGossipers(names: string[], options: GossipersOptions): Promise<Mesh> {
  const { decided = [] } = options
  const links = [...options.links, ...decided]
  await using starting = new AsyncDisposableStack()
  const homes = new Map<string, { home: string; peerId: TestNode['peerId'] }>()
  for (const name of names) {
    const { node, home } = await makeNode({ name })
    homes.set(name, { home, peerId: node.peerId })
    await node.stop()
  }
  const byName = new Map<string, Gossiper>()
  for (const name of names) {
    const mine = links.filter((link) => link.includes(name)).map((link) => (link[0] === name ? link[1] : link[0]))
    const peers = mine.map((other) => ({
      name: other,
      ...(decided.some((link) => link.includes(name) && link.includes(other)) ? { use: true } : { role: 'member' as const, use: false }),
      ...(byName.has(other) ? { addr: byName.get(other)?.address } : { peerId: homes.get(other)?.peerId }),
    }))
    byName.set(name, starting.use(await startGossiper({ gossip: QUICK, ...options.node, name, peers, home: homes.get(name)?.home })))
  }
  const get = (name: string): Gossiper => {
    const found = byName.get(name)
    if (!found) throw new Error(`no node ${name}`)
    return found
  }
  for (const [a, b] of decided) {
    // Now, whatever handshake is under way: a decision that falls into one is told after it.
    await get(a).node.trust.admit(get(b).peerId, { role: 'member' })
    await get(b).node.trust.admit(get(a).peerId, { role: 'member' })
  }
  await Promise.all(links.map(([a, b]) => partnered(get(a), get(b))))
  const started = starting.move()
  return { get, all: [...byName.values()], [Symbol.asyncDispose]: () => started.disposeAsync() }
}

export interface Mesh extends AsyncDisposable {
  get(name: string): Gossiper
  all: Gossiper[]
}

async function startGossiper(options: TestNodeOptions): Promise<Gossiper> {
  const node = await startNode(options)
  const texts = createKeptSet<string>({ name: 'texts', self: node.peerId, maxPerAuthor: 100, parse: ({ payload }) => payload })
  node.node.gossip.add(texts)
  return {
    ...node,
    texts,
    say: async (id, text) => texts.put(await node.node.gossip.sign('texts', { id, payload: text })),
  }
}

/** Both exchange entries with each other. */
async function partnered(a: Gossiper, b: Gossiper): Promise<void> {
  await connected(a, b)
  await eventually(
    `${a.node.name} ↔ ${b.node.name}`,
    () => a.node.gossip.partners().includes(b.peerId) && b.node.gossip.partners().includes(a.peerId),
  )
}

/** Waits until `at` has heard `text` of `from`. */
export const heard = (at: Gossiper, from: Gossiper, id: string, text: string): Promise<unknown> =>
  eventually(`${at.node.name} hears ${text} of ${from.node.name}`, () => at.texts.read(`${from.peerId}/${id}`)?.value === text)
