import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { eventually } from '../eventually.ts'
import { createLab, labSkip, openProbe, PUBLIC_SUBNET } from './index.ts'
import type { NatKind } from './index.ts'

const skip = labSkip()
const PORT = 9000

describe('the lab', { skip, concurrency: 4 }, () => {
  test('two hosts of a LAN reach each other; names resolve; two LANs do not, until a router joins them', async () => {
    await using lab = await createLab()
    const [near, far] = [await lab.lan(), await lab.lan()]
    const [a, b, c] = [await lab.host('a', { lan: near }), await lab.host('b', { lan: near }), await lab.host('c', { lan: far })]
    await a.setNames({ 'b.test': b.address })
    const [pa, pb, pc] = [openProbe(a), openProbe(b), openProbe(c)]
    await Promise.all([pb.listen(PORT), pc.listen(PORT)])
    assert.equal(await pa.connect('b.test', PORT), 'connected')
    assert.notEqual(await pa.connect(c.address, PORT), 'connected')
    await lab.router('r', [near, far])
    assert.equal(await pa.connect(c.address, PORT, 5_000), 'connected')
  })

  test('a firewall drops or refuses, by protocol and port, until it is lifted', async () => {
    await using lab = await createLab()
    const lan = await lab.lan()
    const [a, b] = [await lab.host('a', { lan }), await lab.host('b', { lan })]
    const [pa, pb] = [openProbe(a), openProbe(b)]
    await Promise.all([pb.listen(PORT), pb.bind(PORT), pa.bind(PORT)])
    {
      await using _ = await b.block({ protocol: 'tcp', port: PORT, direction: 'in' })
      assert.equal(await pa.connect(b.address, PORT), 'silence')
      await pa.send(b.address, PORT, 'udp passes')
      assert.equal(await pb.heard('udp passes', 5_000), `${a.address}:${PORT}`)
    }
    {
      await using _ = await b.block({ protocol: 'tcp', how: 'refuse' })
      assert.equal(await pa.connect(b.address, PORT), 'ECONNREFUSED')
    }
    assert.equal(await pa.connect(b.address, PORT), 'connected')
    await using _ = await a.block({ protocol: 'udp' })
    await pa.send(b.address, PORT, 'udp does not')
    assert.equal(await pb.heard('udp does not'), undefined)
  })

  test('a cable drops one direction, loses a share, is pulled, and a host changes its address', async () => {
    await using lab = await createLab()
    const lan = await lab.lan()
    const [a, b] = [await lab.host('a', { lan }), await lab.host('b', { lan })]
    const [pa, pb] = [openProbe(a), openProbe(b)]
    await Promise.all([pa.bind(PORT), pb.bind(PORT), pb.listen(PORT)])
    assert.equal(await pa.connect(b.address, PORT), 'connected')
    await a.cable.set({ drop: 'in' })
    await pa.send(b.address, PORT, 'leaves')
    assert.ok(await pb.heard('leaves', 5_000))
    await pb.send(a.address, PORT, 'does not arrive')
    assert.equal(await pa.heard('does not arrive'), undefined)
    await a.cable.set({ lossPercent: 50 })
    for (let index = 0; index < 40; index += 1) await pa.send(b.address, PORT, `lossy ${index}`)
    const heard = await Promise.all(Array.from({ length: 40 }, (_, index) => pb.heard(`lossy ${index}`)))
    const arrived = heard.filter((from) => from !== undefined).length
    assert.ok(arrived > 4 && arrived < 36, `${arrived} of 40 arrived`)
    await a.cable.set({})
    await a.cable.pull()
    assert.equal(await pa.connect(b.address, PORT), 'silence')
    await a.cable.plug()
    const before = a.address
    assert.notEqual(await a.changeAddress(), before)
    assert.equal(await pa.connect(b.address, PORT, 5_000), 'connected')
  })

  test('a slow cable delays each direction', async () => {
    await using lab = await createLab()
    const lan = await lab.lan()
    const [a, b] = [await lab.host('a', { lan, slow: true }), await lab.host('b', { lan })]
    const [pa, pb] = [openProbe(a), openProbe(b)]
    await pb.listen(PORT)
    assert.equal(await pa.connect(b.address, PORT, 5_000), 'connected')
    await a.cable.set({ delayMs: 100 })
    const begun = performance.now()
    assert.equal(await pa.connect(b.address, PORT, 5_000), 'connected')
    const took = performance.now() - begun
    assert.ok(took >= 200, `${took} ms`)
    await assert.rejects(b.cable.set({ delayMs: 100 }), /slow: true/)
  })

  for (const [kind, opens] of [
    ['full-cone', { address: true, other: true }],
    ['address-restricted', { address: true, other: false }],
    ['port-restricted', { address: false, other: false }],
    ['symmetric', { address: false, other: false }],
  ] as [NatKind, { address: boolean; other: boolean }][]) {
    test(`a ${kind} NAT lets in what it should`, async () => {
      await using lab = await createLab()
      const [home, internet] = [await lab.lan(), await lab.lan({ subnet: PUBLIC_SUBNET })]
      const nat = await lab.nat('nat', { kind, inside: home, outside: internet })
      const inner = await lab.host('inner', { lan: home })
      const [one, two] = [await lab.host('one', { lan: internet }), await lab.host('two', { lan: internet })]
      const [pi, p1, p1b, p2] = [openProbe(inner), openProbe(one), openProbe(one), openProbe(two)]
      await Promise.all([pi.bind(PORT), p1.bind(PORT), p1b.bind(PORT + 1), p2.bind(PORT)])
      await p2.send(nat.address, PORT, 'unasked')
      assert.equal(await pi.heard('unasked'), undefined)
      await pi.send(one.address, PORT, 'hello')
      const seen = (await p1.heard('hello', 5_000)) ?? ''
      const [outer = '', port = ''] = seen.split(':')
      assert.equal(outer, nat.address)
      await p1.send(outer, Number(port), 'answer')
      assert.ok(await pi.heard('answer', 5_000))
      await p1b.send(outer, Number(port), 'same address')
      assert.equal((await pi.heard('same address')) !== undefined, opens.address)
      await p2.send(outer, Number(port), 'other address')
      assert.equal((await pi.heard('other address')) !== undefined, opens.other)
      await pi.send(two.address, PORT, 'hello too')
      const seenToo = (await p2.heard('hello too', 5_000)) ?? ''
      assert.equal(seenToo === seen, kind !== 'symmetric')
    })
  }

  test('behind two NATs a host still gets out, by the address of the outer one', async () => {
    await using lab = await createLab()
    const [home, carrier] = [await lab.lan(), await lab.lan({ subnet: '100.64.0.0/24' })]
    const internet = await lab.lan({ subnet: PUBLIC_SUBNET })
    const outer = await lab.nat('cgnat', { kind: 'symmetric', inside: carrier, outside: internet })
    await lab.nat('home', { kind: 'port-restricted', inside: home, outside: carrier })
    const [inner, server] = [await lab.host('inner', { lan: home }), await lab.host('server', { lan: internet })]
    const [pi, ps] = [openProbe(inner), openProbe(server)]
    await Promise.all([pi.bind(PORT), ps.bind(PORT)])
    await pi.send(server.address, PORT, 'hello')
    assert.equal((await ps.heard('hello', 5_000))?.split(':')[0], outer.address)
  })

  test('what a killed process left behind is swept by the next lab', async () => {
    const door = new URL('index.ts', import.meta.url).href
    const code = `const { createLab } = await import('${door}')
      const lab = await createLab()
      const host = await lab.host('left', { lan: await lab.lan() })
      const child = host.spawn('sleep', ['1000'])
      console.log(child.pid)`
    const owner = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(owner.stdout, 'data')) as [Buffer]
    const left = async (): Promise<string[]> => (await readdir('/run/netns')).filter((name) => name.startsWith(`qmt-${owner.pid}-`))
    assert.equal((await left()).length, 2)
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    await using _ = await createLab()
    assert.deepEqual(await left(), [])
    await eventually('what ran in it has ended', async () => {
      const status = await readFile(`/proc/${Number(line)}/stat`, 'utf8').catch(() => undefined)
      return status === undefined || / Z /.test(status)
    })
  })
})
