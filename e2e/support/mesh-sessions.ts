import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPeerBounds, createPeerSessions, createTurnJudge } from '@qmtcode/agent'
import type { LocalSessions, RunTurn, SessionsComponents, SharedSessions } from '@qmtcode/agent'
import { createMeshNode } from '@qmtcode/mesh'
import { loadPeerId } from '@qmtcode/mesh/identity'
import type { MeshNode } from '@qmtcode/mesh'
import { sessionsContract, sessionsHandlers, silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { startSessionsHost } from './sessions-host.ts'
import type { SessionsHost } from './sessions-host.ts'

export type Guest = 'alice' | 'bob'

/** A host of sessions and two guests: three real mesh nodes of this process, on loopback. The guests have the role client. */
export interface MeshSessions extends AsyncDisposable {
  host: SessionsHost
  /** The host's mesh node: another one after a restart. */
  hostNode(): MeshNode
  guests: Record<Guest, MeshNode>
  /** The host's mesh and its sessions, stopped and started again at the same address. */
  restart(): Promise<void>
  /** Resolves when a guest may call the host. */
  connected(guest: Guest): Promise<void>
}

export interface MeshSessionsOptions {
  /** What peers get in place of the host's sessions. */
  wrap?(sessions: LocalSessions, ids: Record<Guest, PeerId>): LocalSessions
  /** Default: LIMITS. */
  limits?: Parameters<typeof createPeerBounds>[1]
}

export async function startMeshSessions(runTurn: RunTurn, options: MeshSessionsOptions = {}): Promise<MeshSessions> {
  await using opening = new AsyncDisposableStack()
  const home = async (): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), 'qmt-node-'))
    opening.defer(() => rm(directory, { recursive: true, force: true }))
    return directory
  }
  const homes = { host: await home(), alice: await home(), bob: await home() }
  const idOf = async (name: keyof typeof homes): Promise<PeerId> => await loadPeerId(join(homes[name], 'key'))
  const ids = { alice: await idOf('alice'), bob: await idOf('bob') }
  const self = { name: 'host', peerId: await idOf('host') }
  const assertMay: SessionsComponents['assertMay'] = async (...asked) =>
    await createTurnJudge({ agents: host.agents, node: self }, { share: share(), about: running.node.about })(...asked)
  const host = opening.use(await startSessionsHost(runTurn, { node: self, assertMay }))
  const share = (): SharedSessions => ({ agents: ['*'], workspaces: [host.workspace], models: ['*'], sessions: 'shared' })

  const startHostNode = async (port: string): Promise<{ node: MeshNode; address: string }> => {
    const sessions = options.wrap?.(host.local(), ids) ?? host.local()
    const bounds = createPeerBounds({ sessions, clock: systemClock, node: self }, options.limits)
    const node = await makeNode({ home: homes.host, name: 'host', port })
    for (const guest of ['alice', 'bob'] as const) await node.trust.admit(ids[guest], { role: 'client', name: guest })
    node.serve(sessionsContract, {
      handlersFor: (caller) =>
        sessionsHandlers(createPeerSessions({ sessions, agents: host.agents, bounds, node: self }, { caller, share: share() })),
    })
    node.onStanding(() => void host.local().judgeAgain())
    const { listenAddresses } = await node.start()
    return { node, address: listenAddresses[0] ?? '' }
  }
  let running = await startHostNode('0')
  opening.defer(() => running.node.stop())
  const [, port = ''] = running.address.match(/\/tcp\/(\d+)/) ?? []
  const guestNode = async (guest: Guest): Promise<MeshNode> => {
    const node = opening.use(await makeNode({ home: homes[guest], name: guest, port: '0', dial: running.address }))
    await node.start()
    return node
  }
  const guests = { alice: await guestNode('alice'), bob: await guestNode('bob') }
  const connected = async (guest: Guest): Promise<void> => await untilAdmitted(guests[guest])
  const opened = opening.move()
  return {
    host,
    hostNode: () => running.node,
    guests,
    connected,
    async restart() {
      await running.node.stop()
      await host.restart()
      running = await startHostNode(port)
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const makeNode = (options: { home: string; name: string; port: string; dial?: string }): Promise<MeshNode> =>
  createMeshNode(
    { clock: systemClock, log: silentLogger },
    {
      identityFile: join(options.home, 'key'),
      knownPeersFile: join(options.home, 'known_peers.json'),
      listen: [`/ip4/127.0.0.1/tcp/${options.port}`],
      name: options.name,
      peers: options.dial === undefined ? [] : [{ name: 'host', addr: options.dial, use: true, labels: [] }],
      trust: 'known',
      version: '0.1.0',
      timings: { addressDial: 10_000, dialWait: 10_000, handshake: 10_000, redialMin: 20, redialMax: 200 },
    },
  )

async function untilAdmitted(node: MeshNode): Promise<void> {
  const isAdmitted = async (): Promise<boolean> =>
    (await node.peers.list()).some((peer) => peer.state === 'connected' && peer.roleThere === 'client')
  const events = node.peers.follow({ signal: AbortSignal.timeout(30_000) })
  if (await isAdmitted()) return
  for await (const _ of events) if (await isAdmitted()) return
  throw new Error('the host did not admit the guest within 30 s')
}
