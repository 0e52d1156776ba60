import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { clientForPeer, isAppError, peerSessionsContract, sessionsContract, sessionsOverRpc } from '@qmtcode/protocol'
import type { PeerId, Sessions } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { nodeFileSchema } from '../../packages/cli/src/local/home-lock.ts'
import { connectLocal } from '../../packages/cli/src/local/local-client.ts'
import { lastingPort } from './lasting-port.ts'
import { openNodeApi } from './node-api.ts'
import type { NodeApi } from './node-api.ts'
import { createMachine, startHost } from './qmt.ts'
import type { Machine, Running } from './qmt.ts'
import { laptopConfig } from './two-machines.ts'

/** A host of sessions and a node that follows them: two real processes, which end and begin again at the same addresses. */
export interface HostAndFollower extends AsyncDisposable {
  host: Machine
  follower: Machine
  hostId: PeerId
  followerId: PeerId
  /** The processes of now. */
  readonly hostNode: Running
  readonly followerNode: Running
  startHost(): Promise<void>
  startFollower(): Promise<void>
  /** The host's sessions as its own person has them. */
  openHost(): Promise<NodeApi>
  /** The host's sessions through the follower's node, as soon as it reaches them. */
  openThere(): Promise<{ sessions: Sessions } & AsyncDisposable>
}

export interface HostAndFollowerOptions {
  /** Base URL of the host's model server. */
  url: string
  /** Further keys of the host's `[mesh.share]`. */
  share?: string
  /** Of the follower. Default: 60. */
  graceSecs?: number
}

export async function startHostAndFollower({ url, share = '', graceSecs = 60 }: HostAndFollowerOptions): Promise<HostAndFollower> {
  await using starting = new AsyncDisposableStack()
  const follower = starting.use(await createMachine())
  const host = starting.use(await createMachine())
  const followerId = (await follower.peerId()) as PeerId
  const { node, address, peerId } = await startHost(host, {
    guest: followerId,
    listen: `/ip4/127.0.0.1/tcp/${await lastingPort()}`,
    share: `agents = ["*"]\nworkspaces = ["${host.workspace}"]\n${share}`,
    config: `[agent]\nmodel = "rack/scripted"\n[providers.rack]\nbase_url = "${url}"\n`,
  })
  const hostId = peerId as PeerId
  await follower.writeConfig(laptopConfig(address).replace('[mesh]', `[mesh]\nstream_reconnect_grace_secs = ${graceSecs}`))
  let hostNode = node
  const begin = (machine: Machine): Running => machine.start(['--headless', '--mesh'])
  let followerNode = begin(follower)
  await followerNode.line(/listening: /)
  const started = starting.move()
  return {
    host,
    follower,
    hostId,
    followerId,
    get hostNode() {
      return hostNode
    },
    get followerNode() {
      return followerNode
    },
    async startHost() {
      hostNode = begin(host)
      await hostNode.line(/listening: /)
    },
    async startFollower() {
      followerNode = begin(follower)
      await followerNode.line(/listening: /)
    },
    openHost: () => openNodeApi(host),
    async openThere() {
      const { socket } = nodeFileSchema.parse(JSON.parse(await readFile(join(follower.home, 'node.json'), 'utf8')))
      const rpc = connectLocal(socket)
      const sessions = sessionsOverRpc(clientForPeer(sessionsContract, rpc.client(peerSessionsContract), hostId))
      await eventually('the follower reaches the host', () => answers(sessions))
      return { sessions, [Symbol.asyncDispose]: () => Promise.resolve(rpc.stop()) }
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

async function answers(sessions: Sessions): Promise<boolean> {
  try {
    await sessions.list({ limit: 1 })
    return true
  } catch (error) {
    if (isAppError(error, 'link_lost', 'peer_unreachable', 'not_admitted')) return false
    throw error
  }
}
