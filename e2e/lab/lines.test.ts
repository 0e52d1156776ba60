// Which of several ways two nodes are linked over: TCP or QUIC, IPv4 or IPv6, the private address or the public one.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { loadPeerId } from '@qmtcode/mesh/identity'
import { eventually } from '@qmtcode/testing'
import { createLab, labSkip, PUBLIC_SUBNET } from '@qmtcode/testing/lab'
import type { Host, Lab } from '@qmtcode/testing/lab'
import { openNodeApi } from '../support/node-api.ts'
import type { NodeApi } from '../support/node-api.ts'
import { createMachine } from '../support/qmt.ts'
import type { Machine, Running } from '../support/qmt.ts'

interface Guest {
  host: Host
  machine: Machine
  peerId: string
}
interface Laptop extends Guest {
  api: NodeApi
}

const NAMES = ['no-tcp', 'no-udp', 'six', 'quic-only', 'outside'] as const
type Name = (typeof NAMES)[number]

describe('lines', { skip: labSkip(), concurrency: 2 }, () => {
  const owned = new AsyncDisposableStack()
  const guests = new Map<Name, Guest>()
  let server: { host: Host; machine: Machine; node: Running; peerId: string; outside: string }

  before(async () => {
    const lab: Lab = owned.use(await createLab())
    const [lan, far] = [await lab.lan({ ipv6: true }), await lab.lan({ subnet: PUBLIC_SUBNET })]
    // In both networks: who asks for its public address from within may as well take the private one.
    const host = await lab.router('server', [far, lan])
    await Promise.all(
      NAMES.map(async (name) => {
        const at = await lab.host(name, { lan })
        const machine = owned.use(await createMachine({}, { on: at }))
        guests.set(name, { host: at, machine, peerId: await loadPeerId(join(machine.home, 'mesh_identity.key')) })
      }),
    )
    const machine = owned.use(await createMachine({}, { on: host }))
    await machine.writeConfig(serverConfig({ inside: lan.gateway, inside6: gateway6(guest('six').host), outside: far.gateway }))
    const node = machine.start(['--headless', '--mesh'])
    const [, peerId = ''] = await node.line(/peer id: (\S+)/)
    server = { host, machine, node, peerId, outside: far.gateway }
    await node.line(/listening: .*udp\/9001/)
  })
  after(() => owned.disposeAsync())

  const guest = (name: Name): Guest => {
    const found = guests.get(name)
    assert.ok(found)
    return found
  }

  function serverConfig({ inside, inside6, outside }: { inside: string; inside6: string; outside: string }): string {
    const listen = [
      `/ip4/${inside}/tcp/9000`,
      `/ip4/${inside}/udp/9000/quic-v1`,
      `/ip4/${outside}/tcp/9000`,
      `/ip6/${inside6}/tcp/9001`,
      `/ip6/${inside6}/udp/9001/quic-v1`,
    ]
    const peers = NAMES.map((name) => `[[mesh.peers]]\nname = "${name}"\npeer_id = "${guest(name).peerId}"\nrole = "client"\n`)
    return `[mesh]\nlisten = ${JSON.stringify(listen)}\ndiscovery = "mdns"\nnode_name = "server"\n[mesh.share]\nmodels = ["builtin/demo"]\n${peers.join('')}`
  }
  /** Starts a laptop that knows one address of the server, or none. */
  async function begin(name: Name, { listen = '/ip4/0.0.0.0/tcp/9000', addr = '', discovery = 'none' }): Promise<Laptop> {
    const its = guest(name)
    const where = addr === '' ? '' : `addr = "${addr}"\n`
    await its.machine.writeConfig(
      `[mesh]\nlisten = "${listen}"\nnode_name = "${name}"\ndiscovery = "${discovery}"\n` +
        `[[mesh.peers]]\nname = "server"\npeer_id = "${server.peerId}"\n${where}`,
    )
    const node = its.machine.start(['--headless', '--mesh'])
    await node.line(/server.*connected|connected.*server/)
    return { ...its, api: owned.use(await openNodeApi(its.machine)) }
  }
  /** The one line that there is. */
  async function lineOf({ api }: Laptop): Promise<string> {
    const rows = (await api.peers.list()).filter(({ peerId }) => peerId === server.peerId)
    assert.equal(rows.length, 1)
    return rows[0]?.state === 'connected' ? (rows[0].address ?? '') : ''
  }
  async function asks({ machine }: Laptop): Promise<void> {
    const { stdout, stderr, code } = await machine.run(['run', '--model', 'server:builtin/demo', 'hello'])
    assert.equal(code, 0, stderr)
    assert.notEqual(stdout, '')
  }

  test('several listeners, each on an address of one interface: no other address answers', async () => {
    for (const listener of ['tcp/9000', 'udp/9000/quic-v1', 'tcp/9001', 'udp/9001/quic-v1'])
      await server.node.line(new RegExp(`listening: .*/${listener}`))
    const knock = (at: string): Promise<string> => server.host.exec('bash', '-c', `exec 3<>/dev/tcp/${at}/9000`)
    await knock(server.outside)
    await assert.rejects(knock('127.0.0.1'), /refused/i)
  })

  test('TCP is blocked: QUIC; once it passes, TCP takes over', async () => {
    const wall = await guest('no-tcp').host.block({ protocol: 'tcp' })
    const its = await begin('no-tcp', { listen: '/ip4/0.0.0.0/udp/9000/quic-v1', discovery: 'mdns' })
    assert.match(await lineOf(its), /\/quic-v1$/)
    await wall[Symbol.asyncDispose]()
    await eventually('TCP takes over', async () => /\/tcp\/900[01]$/.test(await lineOf(its)), 90_000)
  })

  test('UDP is blocked: TCP, though the configuration names a QUIC address', async () => {
    const { host } = guest('no-udp')
    for (const port of [9_000, 9_001]) await host.block({ protocol: 'udp', port })
    const its = await begin('no-udp', { addr: `/ip4/${gateway(host)}/udp/9000/quic-v1`, discovery: 'mdns' })
    assert.match(await lineOf(its), /\/tcp\/\d+$/)
  })

  test('over IPv6, TCP', async () => {
    const its = await begin('six', { listen: '/ip6/::/tcp/9000', addr: `/ip6/${gateway6(guest('six').host)}/tcp/9001` })
    assert.match(await lineOf(its), /^\/ip6\/fd77:.*\/tcp\/9001$/)
    await asks(its)
  })

  test('over QUIC and IPv6 alone: no TCP packet passes', async () => {
    const { host } = guest('quic-only')
    await host.block({ protocol: 'tcp' })
    const its = await begin('quic-only', { listen: '/ip6/::/udp/9000/quic-v1', addr: `/ip6/${gateway6(host)}/udp/9001/quic-v1` })
    assert.match(await lineOf(its), /^\/ip6\/.*\/udp\/9001\/quic-v1$/)
    await asks(its)
  })

  test('linked at a public address, the private one of the network in common takes over, and `nodes` shows it alone', async () => {
    const its = await begin('outside', { addr: `/ip4/${server.outside}/tcp/9000` })
    const near = `/ip4/${gateway(its.host)}/tcp/9000`
    await eventually('the private address takes over', async () => (await lineOf(its)) === near, 60_000)
    const { stdout, stderr, code } = await its.machine.run(['nodes', '--json'])
    assert.equal(code, 0, stderr)
    const rows = (JSON.parse(stdout) as { peerId: string; state: string }[]).filter(({ peerId }) => peerId === server.peerId)
    assert.deepEqual(
      rows.map(({ state }) => state),
      ['connected'],
    )
  })
})

/** The server's address in the laptops' network. */
const gateway = ({ address }: Host): string => address.replace(/\.\d+$/, '.1')
const gateway6 = ({ address6 = '' }: Host): string => address6.replace(/:[^:]*$/, ':1')
