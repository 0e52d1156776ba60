import { join } from 'node:path'
import { loadPeerId } from '@qmtcode/mesh/identity'
import type { MeshEvent, PeerId, SessionId } from '@qmtcode/protocol'
import { newPromptId } from '@qmtcode/protocol'
import { spawnScriptedLlm } from '@qmtcode/testing'
import { createLab } from '@qmtcode/testing/lab'
import type { Host } from '@qmtcode/testing/lab'
import { openNodeApi } from '../support/node-api.ts'
import type { NodeApi } from '../support/node-api.ts'
import { createMachine, startHost } from '../support/qmt.ts'
import type { Machine, Running } from '../support/qmt.ts'

/** A server that shares a model and its workspace, and laptops connected to it, each on a host of its own in one LAN. */
export interface Fleet extends AsyncDisposable {
  server: Member
  laptop(name: string): Member
}

export interface Member {
  host: Host
  machine: Machine
  node: Running
  peerId: PeerId
  api: NodeApi
  /** What the node told of its peers, and when (ms, of this process). */
  heard: { at: number; event: MeshEvent }[]
}

/** Names → whether the laptop's cable can delay. */
export async function startFleet(laptops: Record<string, { slow?: boolean }>): Promise<Fleet> {
  await using starting = new AsyncDisposableStack()
  const lab = starting.use(await createLab())
  const lan = await lab.lan()
  const serverHost = await lab.host('server', { lan })
  const llm = starting.use(await spawnScriptedLlm({ always: 'well answered' }, { on: serverHost }))
  const server = starting.use(await createMachine({ RACK_KEY: 'no-secret' }, { on: serverHost }))
  const guests = await Promise.all(
    Object.entries(laptops).map(async ([name, { slow }]) => {
      const host = await lab.host(name, { lan, slow })
      const machine = starting.use(await createMachine({}, { on: host }))
      return { name, host, machine, peerId: await loadPeerId(join(machine.home, 'mesh_identity.key')) }
    }),
  )
  const [first, ...others] = guests
  if (!first) throw new TypeError('a fleet has laptops')
  const { node, address, peerId } = await startHost(server, {
    guest: first.peerId,
    listen: `/ip4/${serverHost.address}/tcp/9000`,
    share: `agents = ["*"]\nworkspaces = ["${server.workspace}"]\n`,
    config: [rack(llm.url), ...others.map((guest) => guestPeer(guest))].join('\n'),
  })
  const members = new Map<string, Member>()
  await Promise.all(
    guests.map(async ({ name, host, machine, peerId: id }) => {
      await machine.writeConfig(laptopConfig(name, address))
      members.set(name, await joined({ host, machine, node: machine.start(['--headless', '--mesh']), peerId: id }, starting))
    }),
  )
  const serverMember = await joined({ host: serverHost, machine: server, node, peerId: peerId as PeerId }, starting)
  const started = starting.move()
  return {
    server: serverMember,
    laptop(name) {
      const member = members.get(name)
      if (!member) throw new TypeError(`the fleet has no ${name}`)
      return member
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

async function joined(parts: Omit<Member, 'api' | 'heard'>, owner: AsyncDisposableStack): Promise<Member> {
  await parts.node.line(/peer connected: /)
  const api = owner.use(await openNodeApi(parts.machine))
  const heard: Member['heard'] = []
  listen(api, heard).catch(() => undefined) // ends with its node
  await api.peers.list() // the follow before it is heard too
  return { ...parts, api, heard }
}

async function listen(api: NodeApi, heard: Member['heard']): Promise<void> {
  for await (const event of api.peers.follow()) heard.push({ at: performance.now(), event })
}

/** Runs a prompt here, on the server's model; throws what ended the turn otherwise. */
export async function ask({ api, machine }: Member, text: string): Promise<void> {
  const { id } = await api.sessions.create({ workspace: machine.workspace, model: 'gpu-server:rack/scripted', unattended: true })
  await askIn(api, id, text)
}

/** Runs a prompt in a session of this node. */
export async function askIn(api: NodeApi, id: SessionId, text: string): Promise<void> {
  const promptId = newPromptId()
  await api.sessions.prompt(id, { promptId, content: [{ type: 'text', text }] })
  for await (const event of api.sessions.follow(id, { signal: AbortSignal.timeout(60_000) })) {
    if (event.type !== 'turn.ended' || event.promptId !== promptId) continue
    if (event.stopReason !== 'completed') throw new Error(`the turn ended ${event.stopReason}: ${event.error?.message ?? ''}`)
    return
  }
  throw new Error('the turn did not end within a minute')
}

const rack = (url: string): string => `
[agent]
provider = "rack"
model = "scripted"
[providers.rack]
kind = "openai-compatible"
base_url = "${url}"
api_key = "\${RACK_KEY}"
`

const guestPeer = ({ name, peerId }: { name: string; peerId: string }): string => `
[[mesh.peers]]
name = "${name}"
peer_id = "${peerId}"
role = "client"
use = false
`

const laptopConfig = (name: string, address: string): string => `
[mesh]
listen = "/ip4/0.0.0.0/tcp/9000"
discovery = "none"
node_name = "${name}"
[[mesh.peers]]
name = "gpu-server"
addr = "${address}"
`
