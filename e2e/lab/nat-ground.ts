import { createLab, PUBLIC_SUBNET } from '@qmtcode/testing/lab'
import type { Host, Lab, Lan, NatKind } from '@qmtcode/testing/lab'
import { openNodeApi } from '../support/node-api.ts'
import { createMachine } from '../support/qmt.ts'
import type { Machine, Running } from '../support/qmt.ts'

/** Where a node is: on the public network, behind a NAT of a kind, or behind two. */
export const PLACES = ['public', 'full-cone', 'address-restricted', 'port-restricted', 'symmetric', 'double'] as const
export type Place = (typeof PLACES)[number]

export interface Placed {
  name: string
  machine: Machine
  host: Host
  /** The NAT before it, the nearest to the public network. */
  nat?: Host
  peerId: string
}

/** A public network with a relay on it, and nodes at places around it. */
export interface Ground extends AsyncDisposable {
  lab: Lab
  internet: Lan
  relay: Placed & { address: string; node: Running; restart(): Promise<void> }
  nodes: Placed[]
}

/** `wanted`: a name and a place each. All of them know the relay, and it admits them; they are not started. */
export async function createGround(wanted: readonly { name: string; place: Place }[]): Promise<Ground> {
  await using owned = new AsyncDisposableStack()
  const lab = owned.use(await createLab())
  const internet = await lab.lan({ subnet: PUBLIC_SUBNET })
  const host = await lab.host('relay', { lan: internet })
  const nodes: Placed[] = []
  for (const { name, place } of wanted) {
    const { host: at, nat } = await hostAt(lab, internet, { name, place })
    const machine = owned.use(await createMachine({}, { on: at }))
    nodes.push({ name, machine, host: at, nat, peerId: await machine.peerId() })
  }
  const machine = owned.use(await createMachine({}, { on: host }))
  await machine.writeConfig(
    `[mesh]\nlisten = "/ip4/${host.address}/tcp/9000"\ndiscovery = "none"\nnode_name = "relay"\n[mesh.nat]\nserve = true\n${nodes
      .map(({ name, peerId }) => `[[mesh.peers]]\nname = "${name}"\npeer_id = "${peerId}"\nuse = false\n`)
      .join('')}`,
  )
  const begin = async (): Promise<{ node: Running; address: string }> => {
    const node = machine.start(['--headless', '--mesh'])
    const [, address = ''] = await node.line(/listening: (\S+)/)
    return { node, address }
  }
  const { node, address } = await begin()
  const relay: Ground['relay'] = {
    name: 'relay',
    machine,
    host,
    node,
    address,
    peerId: address.replace(/.*\//, ''),
    async restart() {
      await relay.node.kill('SIGKILL')
      relay.node = (await begin()).node
    },
  }
  const disposing = owned.move()
  return { lab, internet, relay, nodes, [Symbol.asyncDispose]: () => disposing.disposeAsync() }
}

async function hostAt(lab: Lab, internet: Lan, { name, place }: { name: string; place: Place }): Promise<{ host: Host; nat?: Host }> {
  if (place === 'public') return { host: await lab.host(name, { lan: internet }) }
  const outside = place === 'double' ? await lab.lan() : internet
  const carrier =
    place === 'double' ? await lab.nat(`${name}-cgn`, { kind: 'port-restricted', inside: outside, outside: internet }) : undefined
  const kind: NatKind = place === 'double' ? 'port-restricted' : place
  const home = await lab.lan()
  const nat = await lab.nat(`${name}-nat`, { kind, inside: home, outside })
  return { host: await lab.host(name, { lan: home }), nat: carrier ?? nat }
}

export interface Meeting {
  connectedMs: number
  /** Undefined: it stayed on the relay. */
  directMs?: number
  /** Why it stayed there. */
  reason?: string
  address: string
}

interface Watch {
  watchMs: number
  isSettled(reason: string): boolean
}

export const configOf = ({ name }: Placed, ground: Ground, more: { peers?: string; nat?: string } = {}): string =>
  `[mesh]\nlisten = "/ip4/0.0.0.0/tcp/9000"\ndiscovery = "none"\nnode_name = "${name}"
[mesh.nat]\nrelays = "${ground.relay.address}"\n${more.nat ?? ''}\n${more.peers ?? ''}`

export const peerTable = ({ name, peerId }: Placed, more = ''): string =>
  `[[mesh.peers]]\nname = "${name}"\npeer_id = "${peerId}"\nrole = "client"\n${more}\n`

/** Starts both, each knowing only the other's id and the relay: how they come together within `watchMs`, or until `isSettled` by why they do not. */
export async function meet(ground: Ground, [a, b]: readonly [Placed, Placed], { watchMs, isSettled }: Watch): Promise<Meeting> {
  await a.machine.writeConfig(configOf(a, ground, { peers: peerTable(b) }))
  await b.machine.writeConfig(configOf(b, ground, { peers: peerTable(a) }))
  const running = [a, b].map(({ machine }) => machine.start(['--headless', '--mesh']))
  try {
    await Promise.all(running.map((node) => node.line(/listening: /)))
    const begun = performance.now()
    await using api = await openNodeApi(a.machine)
    let connectedMs: number | undefined
    for (;;) {
      const row = (await api.peers.list()).find(({ peerId }) => peerId === b.peerId)
      const ms = performance.now() - begun
      if (row?.state === 'connected') connectedMs ??= ms
      if (row?.state === 'connected' && !row.relayed) return { connectedMs: connectedMs ?? ms, directMs: ms, address: row.address ?? '' }
      const reason = row?.relayedBecause
      if (connectedMs !== undefined && (ms > connectedMs + watchMs || (reason !== undefined && isSettled(reason))))
        return { connectedMs, address: row?.address ?? '', reason }
      if (ms > 60_000)
        throw new Error(`${a.name} and ${b.name} did not come together: ${row?.problem ?? ''}\n${running[0]?.output() ?? ''}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  } finally {
    await Promise.all(running.map((node) => node.kill('SIGKILL')))
  }
}
