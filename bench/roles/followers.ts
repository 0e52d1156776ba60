import { join } from 'node:path'
import type { MeshNode } from '@qmtcode/mesh'
import { createBell, isDurable } from '@qmtcode/protocol'
import type { PeerId, SessionId } from '@qmtcode/protocol'
import { measureAttach } from '../support/attaching.ts'
import type { AttachWay } from '../support/attaching.ts'
import { held } from '../support/memory.ts'
import { joinHost, makeNode } from '../support/mesh.ts'
import type { Place } from '../support/mesh.ts'
import { serveRole } from '../support/role.ts'
import { noteLags } from '../support/stamps.ts'
import type { Lags } from '../support/stamps.ts'

interface Crowd {
  directory: string
  count: number
}
/** A session, and the last event that its follower knows. */
export interface Following {
  id: SessionId
  after: number
}

interface Follower {
  seq: number
  isPaused: boolean
}

const peersOf = ({ directory, count }: Crowd) =>
  Array.from({ length: count }, (_, index) => ({ directory: join(directory, String(index)), name: `follower-${index}` }))
const bell = createBell()
const followers: Follower[] = []
const nodes: MeshNode[] = []
let hostId: PeerId | undefined
let lags: Lags = { deltas: [], durables: [] }
let failure: unknown

/** Nodes of one process, each with a link of its own to the host, whose sessions they follow. */
serveRole({
  identities: async (crowd: Crowd) => (await Promise.all(peersOf(crowd).map(makeNode))).map(({ peerId }) => peerId),
  connect: async ({ host, ...crowd }: Crowd & { host: Place }) => {
    hostId = host.peerId
    for (const init of peersOf(crowd)) nodes.push(await joinHost(init, host)) // one by one: dials have deadlines
  },
  /** Node by node in turn. There must be something after each `after`: resolves when all have got an event. */
  follow: async ({ sessions }: { sessions: Following[] }) => {
    const before = followers.length
    for (const [index, session] of sessions.entries()) follow(index % nodes.length, session)
    await until(() => followers.slice(before).every(({ seq }, index) => seq > (sessions[index]?.after ?? 0)))
  },
  /** They take nothing more from their streams. */
  pause: () => {
    for (const follower of followers) follower.isPaused = true
  },
  goOn: () => {
    for (const follower of followers) follower.isPaused = false
    bell.ring()
  },
  /** Resolves when all have got the event. */
  reached: async ({ seq }: { seq: number }) => until(() => followers.every((follower) => follower.seq >= seq)),
  /** What was measured since the last time. */
  lags: () => {
    const taken = lags
    lags = { deltas: [], durables: [] }
    return taken
  },
  /** By the first node. */
  attach: async ({ id, ...measuring }: { id: SessionId; way: AttachWay; rounds: number }) => {
    const [node] = nodes
    if (!node || !hostId) throw new Error('there is no node')
    return await measureAttach(node.peers.sessions(hostId), id, measuring)
  },
  held,
})

function follow(index: number, { id, after }: Following): void {
  const follower: Follower = { seq: after, isPaused: false }
  followers.push(follower)
  read(index, id, follower).catch((error: unknown) => {
    failure ??= error
    bell.ring()
  })
}

async function read(index: number, id: SessionId, follower: Follower): Promise<void> {
  const node = nodes[index]
  if (!node || !hostId) throw new Error(`there is no node ${index}`)
  for await (const event of node.peers.sessions(hostId).follow(id, { after: follower.seq })) {
    noteLags(lags, event)
    if (isDurable(event)) {
      if (event.seq !== follower.seq + 1) throw new Error(`event ${event.seq} after ${follower.seq}`)
      follower.seq = event.seq
    }
    bell.ring()
    if (follower.isPaused) await until(() => !follower.isPaused)
  }
  throw new Error('the host ended the follow')
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    if (failure !== undefined) throw failure
    await bell.heard({ timeoutMs: 1_000 })
  }
}
