import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { Clock, Logger, MeshEvent, Models, PeerId } from '@qmtcode/protocol'
import { modelsContract, modelsHandlers } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { createMeshNode } from '../node.ts'
import type { ConfiguredPeer, MeshNode, MeshNodeOptions, StartReport } from '../node-types.ts'

/** A real node on loopback, with its events gathered. */
export interface TestNode extends AsyncDisposable {
  node: MeshNode
  peerId: PeerId
  /** Its first address, with `/p2p`. */
  address: string
  home: string
  report: StartReport
  events: MeshEvent[]
}

export interface TestNodeOptions extends Partial<Omit<MeshNodeOptions, 'peers'>> {
  home?: string
  peers?: (Partial<ConfiguredPeer> & { name: string })[]
  /** Served as the models service, to clients and up. */
  models?: Models
  log?: Logger
  clock?: Clock
}

export const newHome = (): Promise<string> => mkdtemp(join(tmpdir(), 'qmt-mesh-'))

/** Short pauses; bounds wide enough for a busy machine. */
const TIMINGS = { redialMin: 50, redialMax: 400, addressDial: 5_000, dialWait: 5_000, handshake: 5_000, ping: 2_500, load: 20 }

export async function makeNode(options: TestNodeOptions = {}): Promise<{ node: MeshNode; home: string }> {
  const { home = await newHome(), peers = [], models, timings, log = silentLogger, clock = systemClock, ...rest } = options
  const node = await createMeshNode(
    { clock, log },
    {
      identityFile: join(home, 'mesh_identity.key'),
      knownPeersFile: join(home, 'known_peers.json'),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      name: 'node',
      trust: 'known',
      version: '0.1.0',
      peers: peers.map((peer) => ({ use: true, labels: [], ...peer })),
      timings: { ...TIMINGS, ...timings },
      ...rest,
    },
  )
  if (models) {
    node.serve(modelsContract, { handlersFor: () => modelsHandlers(models) })
  }
  return { node, home }
}

export async function startNode(options: TestNodeOptions = {}): Promise<TestNode> {
  const { node, home } = await makeNode(options)
  const events: MeshEvent[] = []
  const gathering = gather(node, events)
  const report = await node.start()
  return {
    node,
    peerId: node.peerId,
    address: report.listenAddresses[0] ?? '',
    home,
    report,
    events,
    async [Symbol.asyncDispose]() {
      await node.stop()
      await gathering
    },
  }
}

async function gather(node: MeshNode, events: MeshEvent[]): Promise<void> {
  for await (const event of node.peers.follow()) events.push(event)
}

export const eventOf = <Type extends MeshEvent['type']>(from: TestNode, type: Type): Promise<Extract<MeshEvent, { type: Type }>> =>
  eventually(`${type} at ${from.node.name}`, () =>
    from.events.find((event): event is Extract<MeshEvent, { type: Type }> => event.type === type),
  )

export const connected = (from: TestNode, to: TestNode): Promise<unknown> =>
  eventually(`${from.node.name} → ${to.node.name}`, async () => {
    const info = (await from.node.peers.list()).find((peer) => peer.peerId === to.peerId)
    return info?.state === 'connected' && info.roleThere !== undefined
  })

/** Two nodes that know each other: `a` dials `b`, `b` admits `a` as client. */
export async function startPair(
  options: { a?: TestNodeOptions; b?: TestNodeOptions } = {},
): Promise<{ a: TestNode; b: TestNode } & AsyncDisposable> {
  const b = await startNode({ name: 'b', ...options.b })
  const made = await makeNode({ name: 'a', ...options.a })
  await b.node.trust.admit(made.node.peerId, { role: 'client' })
  const a = await startNode({ name: 'a', peers: [{ name: 'b', addr: b.address }], ...options.a, home: made.home })
  await connected(a, b)
  return {
    a,
    b,
    async [Symbol.asyncDispose]() {
      await a[Symbol.asyncDispose]()
      await b[Symbol.asyncDispose]()
    },
  }
}
