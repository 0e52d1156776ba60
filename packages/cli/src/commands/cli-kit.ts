import { PassThrough } from 'node:stream'

import type {
  InviteInfo,
  KnownPeer,
  MeshEvent,
  ModelOffer,
  Models,
  PeerId,
  PeerInfo,
  Peers,
  Trust,
  Routes,
  RoutingPolicy,
} from '@qmtcode/protocol'
import { runCli } from '../cli.ts'
import type { Components, Interrupt, NodeHandle, OpenNodeOptions, Workspaces } from '../node-handle.ts'
import { createBroadcast } from './broadcast-kit.ts'
import { scriptedSessions } from './scripted-sessions.ts'
import type { Script } from './scripted-sessions.ts'

// For tests: a command line around a node made of small ports in memory.

export const PEER_A = '12D3KooWAbCdEfGhJkLmNpQrStUvWxYz123456789AbCdEfGhJkL' as PeerId
export const PEER_B = '12D3KooWAbCdEfZZZZZZZZZZZZZZZZZZ123456789AbCdEfGhJkL' as PeerId

export const peerInfo = (over: Partial<PeerInfo> = {}): PeerInfo => ({
  name: 'gpu-server',
  peerId: PEER_B,
  self: false,
  state: 'connected',
  trust: 'admitted',
  use: true,
  relayed: false,
  addresses: ['/ip4/127.0.0.1/tcp/9000'],
  bytesIn: 1,
  bytesOut: 2,
  labels: [],
  models: ['builtin/demo'],
  agents: [],
  sessions: 0,
  load: { inFlight: 0, slots: 8, queued: 0 },
  ...over,
})

export const offer = (id = 'builtin/demo'): ModelOffer => {
  const [provider = '', model = ''] = id.split('/')
  return { id, provider, model, slots: 8, inFlight: 1 }
}

const offering = (offers: () => Promise<ModelOffer[]>): Models => ({
  offers,
  // eslint-disable-next-line require-yield
  async *stream() {
    throw new Error('not called')
  },
})

export interface FakeNode extends NodeHandle {
  sessions: ReturnType<typeof scriptedSessions>
  changes: string[]
  closed: number
  meshEvent(event: MeshEvent): void
  /** Who follows the mesh's events now. */
  watchers(): number
}

export interface FakeNodeOptions {
  script?: Script
  peers?: PeerInfo[]
  known?: KnownPeer[]
  mesh?: boolean
  workspaces?: Workspaces
  offers?(peer: PeerId): Promise<ModelOffer[]>
}

export function fakeNode(options: FakeNodeOptions = {}): FakeNode {
  const sessions = scriptedSessions(options.script ?? (async (turn) => turn.say('hello')))
  const changes: string[] = []
  const events = createBroadcast<MeshEvent>()
  const list = [peerInfo({ name: 'laptop', peerId: PEER_A, self: true }), ...(options.peers ?? [peerInfo()])]
  const peers: Peers = {
    status: async () => ({ peerId: PEER_A, name: 'laptop', version: '1.0.0', listenAddresses: [], connectedPeers: 1 }),
    list: async () => list,
    resolve: async (name) => ({ peerId: PEER_B, name, self: false }),
    sessions: () => sessions,
    models: (peer) => offering(async () => await (options.offers?.(peer) ?? [offer()])),
    follow: ({ signal } = {}) => events.follow([], signal),
  }
  const withMesh = options.mesh !== false
  const node: FakeNode = {
    sessions,
    rows: { list: () => Promise.resolve([]), follow: async function* () {} },
    changes,
    closed: 0,
    watchers: events.followers,
    meshEvent: events.send,
    models: offering(async () => [offer()]),
    ...(withMesh ? { peers, trust: fakeTrust(changes, options.known ?? []) } : {}),
    routes: fakeRoutes([{ agentId: 'coder', providerTarget: { kind: 'peer', peer: 'gpu-server' }, reason: 'configured' }]),
    workspaces: options.workspaces ?? { look: async (directory) => ({ root: directory, files: [] }), decide: async () => {} },
    reserved: async function* () {},
    agents: async () => [
      { id: 'main', name: 'Main', description: 'plans', kind: 'local', capabilities: [], target: { kind: 'local' } },
      {
        id: 'coder',
        name: 'Coder',
        description: 'codes',
        kind: 'delegate',
        capabilities: ['gpu'],
        target: { kind: 'peer', peer: 'gpu-server' },
      },
    ],
    status: async () => ({
      node: 'laptop',
      ...(withMesh ? { peerId: PEER_A } : {}),
      pid: 42,
      version: '1.0.0',
      listenAddresses: withMesh ? [`/ip4/127.0.0.1/tcp/9000/p2p/${PEER_A}`] : [],
      defaultModel: { model: 'builtin/demo', from: '[agent] model' },
    }),
    close: async () => {
      node.closed += 1
    },
  }
  return node
}

function fakeTrust(changes: string[], known: KnownPeer[]): Trust {
  const change = async (what: string, peerId: PeerId): Promise<KnownPeer> => {
    changes.push(`${what} ${peerId}`)
    return { peerId, name: 'gpu-server', trust: 'admitted', role: 'client', use: true, source: 'person', addresses: [] }
  }
  return {
    list: async () => known,
    admit: (peer, { role, name } = {}) => change(['admit', role, name].filter(Boolean).join(':'), peer),
    setRole: (peer, role) => change(`role:${role}`, peer),
    use: (peer, use) => change(`use:${use}`, peer),
    ban: (peer, { mesh } = {}) => change(mesh ? 'ban:mesh' : 'ban', peer),
    unban: (peer) => change('unban', peer),
    forget: async (peer) => {
      await change('forget', peer)
    },
    invite: async (init) => {
      changes.push(`invite ${JSON.stringify(init)}`)
      return { ...INVITE, url: 'qmt://mesh/join/abc.def' }
    },
    invites: async () => [INVITE],
    revoke: async (id) => {
      changes.push(`revoke ${id}`)
      return { ...INVITE, state: 'revoked' }
    },
    readInvite: async () => ({ root: PEER_B, inviter: PEER_B, role: 'client', expiresAt: 86_400_000 }),
    join: async (url, { name, use } = {}) => {
      changes.push(`join ${url} ${name ?? ''} ${use ?? ''}`)
      return { root: PEER_B, inviter: PEER_B, name: 'gpu-server', role: 'client', expiresAt: 2_592_000_000, use: use ?? true }
    },
  }
}

const INVITE: InviteInfo = {
  id: 'inv_0123456789abcdef',
  role: 'client',
  labels: [],
  root: PEER_B,
  uses: 1,
  usesLeft: 1,
  joined: [],
  createdAt: 0,
  expiresAt: 86_400_000,
  state: 'open',
}

export interface StartedCli {
  code: Promise<number>
  stdin: PassThrough
  stdout(): string
  stderr(): string
  opened: OpenNodeOptions[]
  interrupt(interrupt: Interrupt): void
  /** Resolves when stdout and stderr together match. */
  seen(pattern: RegExp): Promise<void>
}

export interface CliOptions {
  node?: FakeNode
  tty?: boolean
  /** All of stdin. Absent: nothing, or for a terminal it stays open. */
  stdin?: string
  over?: Partial<Components>
}

export function startCli(argv: string[], { node = fakeNode(), tty = false, stdin, over }: CliOptions = {}): StartedCli {
  const opened: OpenNodeOptions[] = []
  const listeners = new Set<(interrupt: Interrupt) => void>()
  const watchers = new Set<() => void>()
  const input = Object.assign(new PassThrough(), { isTTY: tty })
  if (stdin !== undefined || !tty) input.end(stdin ?? '')
  const capture = () => {
    let text = ''
    const stream = Object.assign(new PassThrough(), { isTTY: tty, columns: 100 })
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      for (const watcher of watchers) watcher()
    })
    return { stream, text: () => text }
  }
  const stdout = capture()
  const stderr = capture()
  const code = runCli(argv, {
    openNode: async (options) => {
      opened.push(options)
      return node
    },
    checkConfig: async () => ({ diagnostics: [] }),
    configSchema: async () => ({ type: 'object' }),
    identity: async () => ({ peerId: PEER_A, file: '/home/x/.qmt/mesh_identity.key' }),
    rotateIdentity: async () => ({ before: PEER_A, after: PEER_B, backup: '/home/key.bak' }),
    attached: () => ({ list: async () => [], note: async () => {} }),
    version: '1.2.3',
    stdin: input,
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: { NO_COLOR: '1' },
    cwd: '/work',
    clock: { now: () => 61_000, monotonic: () => 0 },
    onInterrupt: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    ...over,
  })
  return {
    code,
    stdin: input,
    stdout: stdout.text,
    stderr: stderr.text,
    opened,
    interrupt: (interrupt) => listeners.forEach((listener) => listener(interrupt)),
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`never saw ${pattern} in:\n${stdout.text()}\n${stderr.text()}`)), 10_000)
        const look = (): void => {
          if (!pattern.test(stdout.text() + stderr.text())) return
          clearTimeout(timer)
          watchers.delete(look)
          resolve()
        }
        watchers.add(look)
        look()
      }),
  }
}

export interface RanCli {
  code: number
  stdout: string
  stderr: string
  opened: OpenNodeOptions[]
}

export async function cli(argv: string[], options: CliOptions = {}): Promise<RanCli> {
  const started = startCli(argv, options)
  const code = await started.code
  return { code, stdout: started.stdout(), stderr: started.stderr(), opened: started.opened }
}

function fakeRoutes(policies: RoutingPolicy[]): Routes {
  const snapshot = { get: (id: string) => policies.find(({ agentId }) => agentId === id), policies: () => policies }
  return {
    load: () => snapshot,
    async *follow() {
      yield snapshot
    },
  }
}
