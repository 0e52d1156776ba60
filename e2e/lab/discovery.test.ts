import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PeerInfo } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { createLab, labSkip } from '@qmtcode/testing/lab'
import type { Host } from '@qmtcode/testing/lab'
import { openNodeApi } from '../support/node-api.ts'
import { createMachine } from '../support/qmt.ts'
import type { Machine, Running } from '../support/qmt.ts'

const skip = labSkip()

interface Node {
  machine: Machine
  host: Host
  peerId: string
}
interface Known {
  node: Node
  name: string
  /** Without one: found, or not. */
  addr?: string
  use?: boolean
}

async function prepare(host: Host, owned: AsyncDisposableStack): Promise<Node> {
  const machine = owned.use(await createMachine({}, { on: host }))
  return { machine, host, peerId: await machine.peerId() }
}

/** Starts a node that knows only what is said, and resolves when it listens. */
async function begin({ machine }: Node, mesh: string, peers: readonly Known[] = []): Promise<Running> {
  const tables = peers.map(
    ({ node, name, addr, use = true }) =>
      `[[mesh.peers]]\nname = "${name}"\npeer_id = "${node.peerId}"\nuse = ${use}\n${addr === undefined ? '' : `addr = "${addr}"\n`}`,
  )
  await machine.writeConfig(`[mesh]\n${mesh}\n${tables.join('')}`)
  const running = machine.start(['--headless', '--mesh'])
  await running.line(/listening: /)
  return running
}

async function rows({ machine }: Node): Promise<PeerInfo[]> {
  await using api = await openNodeApi(machine)
  return await api.peers.list()
}

const linkedTo = (name: string): RegExp => new RegExp(`${name}.*connected|connected.*${name}`)

describe('discovery', { skip, concurrency: 2 }, () => {
  test('mdns: two nodes that know only the id of the other find each other within 3 s', async () => {
    await using lab = await createLab()
    await using owned = new AsyncDisposableStack()
    const lan = await lab.lan()
    const a = await prepare(await lab.host('a', { lan }), owned)
    const b = await prepare(await lab.host('b', { lan }), owned)
    const first = await begin(a, 'node_name = "a"', [{ node: b, name: 'bee' }])
    await begin(b, 'node_name = "b"', [{ node: a, name: 'ay' }])
    const begun = performance.now()
    await first.line(linkedTo('bee'))
    const took = performance.now() - begun
    assert.ok(took < 3_000, `${took} ms`)
  })

  test('mdns: a stranger nearby is shown with the command that admits it; admitted on both sides, it is linked', async () => {
    await using lab = await createLab()
    await using owned = new AsyncDisposableStack()
    const lan = await lab.lan()
    const a = await prepare(await lab.host('a', { lan }), owned)
    const b = await prepare(await lab.host('b', { lan }), owned)
    const first = await begin(a, 'node_name = "a"')
    await begin(b, 'node_name = "b"')
    await eventually('a sees b', async () => (await rows(a)).some((row) => row.peerId === b.peerId))
    const listed = await a.machine.run(['peers', '--json'])
    const seen = (JSON.parse(listed.stdout) as PeerInfo[]).find((row) => row.peerId === b.peerId)
    assert.ok(seen, listed.stdout + listed.stderr)
    assert.deepEqual({ trust: seen.trust, state: seen.state }, { trust: 'unknown', state: 'offline' })
    assert.match(seen.problem ?? '', new RegExp(`qmtcode peers admit ${b.peerId}`))
    assert.match(seen.addresses[0] ?? '', new RegExp(`^/ip4/${b.host.address}/tcp/9000$`))
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      const ran = await here.machine.run(['peers', 'admit', there.peerId, '--yes'])
      assert.equal(ran.code, 0, ran.stderr)
    }
    await first.line(/connected/)
  })

  test('no route for multicast: it is said, once, and in nodes', async () => {
    await using lab = await createLab()
    await using owned = new AsyncDisposableStack()
    const a = await prepare(await lab.host('a', { lan: await lab.lan() }), owned)
    await a.host.exec('ip', 'route', 'del', 'default')
    await begin(a, 'node_name = "a"')
    await eventually('it is said', async () => /mdns finds nobody: multicast does not pass/.test((await a.machine.run(['nodes'])).stderr))
  })

  test('a server that moves is linked again at once, though nobody is told where it is: it dials who it was linked with', async () => {
    await using lab = await createLab()
    await using owned = new AsyncDisposableStack()
    const lan = await lab.lan()
    const server = await prepare(await lab.host('server', { lan }), owned)
    const laptop = await prepare(await lab.host('laptop', { lan }), owned)
    await begin(server, 'discovery = "none"\nnode_name = "server"', [{ node: laptop, name: 'laptop', use: false }])
    const addr = `/ip4/${server.host.address}/tcp/9000`
    const its = await begin(laptop, 'discovery = "none"\nnode_name = "laptop"', [{ node: server, name: 'server', addr }])
    await its.line(linkedTo('server'))
    await using api = await openNodeApi(laptop.machine)
    const row = async () => (await api.peers.list()).find(({ peerId }) => peerId === server.peerId)
    await eventually('the server has heard where the laptop is', async () =>
      (await rows(server)).some(
        ({ peerId, addresses }) =>
          peerId === laptop.peerId && addresses.some((its) => its.startsWith(`/ip4/${laptop.host.address}/tcp/9000`)),
      ),
    )
    const moved = await server.host.changeAddress()
    const begun = performance.now()
    await eventually('it is linked at its new address', async () => {
      const { state, address } = (await row()) ?? {}
      return state === 'connected' && address?.startsWith(`/ip4/${moved}/`)
    })
    assert.ok(performance.now() - begun < 10_000, 'before the pings would have told')
  })

  for (const [way, mesh, finds] of [
    ['kademlia', 'discovery = "kademlia"', true],
    ['a list', 'discovery = ["mdns", "kademlia"]', true],
    ['mdns', 'discovery = "mdns"', false],
    ['none', 'discovery = "none"', false],
  ] as const) {
    test(`${way}: across two subnets, from one peer in common, a third is ${finds ? 'found, and again after it moved' : 'not found'}`, async () => {
      await using lab = await createLab()
      await using owned = new AsyncDisposableStack()
      const [near, far] = [await lab.lan(), await lab.lan()]
      await lab.router('r', [near, far])
      const hub = await prepare(await lab.host('hub', { lan: near }), owned)
      const a = await prepare(await lab.host('a', { lan: near }), owned)
      const c = await prepare(await lab.host('c', { lan: far }), owned)
      const common = { node: hub, name: 'hub', addr: `/ip4/${hub.host.address}/tcp/9000` }
      const [ay, cee] = [
        { node: a, name: 'ay' },
        { node: c, name: 'cee' },
      ]
      const [, first, third] = await Promise.all([begin(hub, mesh, [ay, cee]), begin(a, mesh, [common, cee]), begin(c, mesh, [common, ay])])
      await Promise.all([first.line(linkedTo('hub')), third.line(linkedTo('hub'))])
      if (!finds) {
        await eventually('it was looked for', async () =>
          /no address of cee/.test((await rows(a)).find((row) => row.peerId === c.peerId)?.problem ?? ''),
        )
        return
      }
      await first.line(linkedTo('cee'))
      const moved = await c.host.changeAddress()
      await eventually(
        'it is linked at its new address',
        async () => {
          const row = (await rows(a)).find((candidate) => candidate.peerId === c.peerId)
          return row?.state === 'connected' && row.addresses.some((address) => address.startsWith(`/ip4/${moved}/tcp/9000`))
        },
        60_000,
      )
    })
  }
})
