import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import type { ErrorCode, ModelOffer, ModelPart, Models } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { connected, eventOf, makeNode, newHome, startNode, startPair } from './testing/mesh-kit.ts'

const OFFER: ModelOffer = { id: 'demo/one', provider: 'demo', model: 'one', slots: 2, inFlight: 0 }
const text = (delta: string): ModelPart => ({ type: 'text-delta', id: '1', delta })

/** Yields a part, then waits until it is aborted. */
function endlessModels(): Models & { aborted: Promise<void> } {
  const aborted = Promise.withResolvers<void>()
  return {
    aborted: aborted.promise,
    offers: () => Promise.resolve([OFFER]),
    async *stream(_, { signal } = {}) {
      yield text('first')
      await new Promise((resolve) => signal?.addEventListener('abort', resolve))
      aborted.resolve()
      yield text('late')
    },
  }
}
const fails = (code: ErrorCode, message: RegExp, hint?: RegExp) => (error: unknown) => {
  assert.ok(isAppError(error, code), String(error))
  assert.match(error.message, message)
  if (hint) assert.match(error.hint ?? '', hint)
  return true
}
const REQUEST = { model: 'demo/one', options: { prompt: [] } }

for (const [family, listen] of [
  ['IPv4', '/ip4/127.0.0.1/tcp/0'],
  ['IPv6', '/ip6/::1/tcp/0'],
] as const) {
  test(`two nodes connect over ${family}, learn of each other, and one calls the other's models`, async () => {
    await using pair = await startPair({ b: { listen: [listen], models: endlessModels() } })
    const { a, b } = pair
    assert.match(b.address, new RegExp(`^${listen.replace(/0$/, String.raw`[1-9]\d+`)}/p2p/${b.peerId}$`))
    assert.deepEqual(await a.node.peers.models(b.peerId).offers(), [OFFER])
    b.node.advertise({
      models: [OFFER],
      agents: [{ id: 'coder', name: 'Coder', description: '', capabilities: [] }],
      labels: ['gpu'],
      sessions: 3,
    })
    b.node.setLoad({ inFlight: 1, slots: 2, queued: 0 })
    const seen = await eventually('the record of b', async () =>
      (await a.node.peers.list()).find((peer) => peer.models.length > 0 && peer.load.slots === 2),
    )
    const { name, self, state, trust, role, roleThere, use, agents, sessions, load, version } = seen
    assert.deepEqual(
      { name, self, state, trust, role, roleThere, use, agents, sessions, load, version },
      {
        name: 'b',
        self: false,
        state: 'connected',
        trust: 'admitted',
        role: 'observer',
        roleThere: 'client',
        use: true,
        agents: ['coder'],
        sessions: 3,
        load: { inFlight: 1, slots: 2, queued: 0 },
        version: '0.1.0',
      },
    )
    assert.ok(seen.bytesIn > 0 && seen.bytesOut > 0)
    assert.deepEqual(seen.labels, [])
    assert.equal((await eventOf(a, 'peer.connected')).name, 'b')
    const { connectedPeers, unmet } = await a.node.peers.status()
    assert.deepEqual([connectedPeers, unmet], [1, []])
    // b sees a as a client by its advertised name, and may not call it: prompts leave only to peers with use.
    await eventually('the name of a', () => b.events.some((event) => event.type === 'peer.connected'))
    assert.deepEqual(await b.node.peers.resolve('a'), { peerId: a.peerId, name: 'a', self: false })
    await assert.rejects(b.node.peers.models(a.peerId).offers(), fails('forbidden', /nothing may be sent to a/, /qmtcode peers use a/))
  })
}

test('an observer does not learn models, and may not call them; a new role is told at once', async () => {
  await using b = await startNode({ name: 'b', models: endlessModels() })
  await using a = await startNode({ name: 'a', peers: [{ name: 'b', addr: b.address }] })
  await b.node.trust.admit(a.peerId, { role: 'observer' })
  await connected(a, b)
  b.node.advertise({ models: [OFFER], agents: [], labels: [], sessions: 7 })
  const info = await eventually('the record of b', async () => (await a.node.peers.list()).find((peer) => peer.sessions === 7))
  assert.deepEqual(info.models, [])
  await assert.rejects(
    a.node.peers.models(b.peerId).offers(),
    fails(
      'forbidden',
      /b gives this node the role observer, which may not call its models/,
      new RegExp(`on b, run: qmtcode peers role ${a.peerId} client`),
    ),
  )
  await b.node.trust.setRole(a.peerId, 'client')
  await eventually('models are seen', async () => (await a.node.peers.list()).some((peer) => peer.models.includes('demo/one')))
  assert.deepEqual(await a.node.peers.models(b.peerId).offers(), [OFFER])
})

test('a refused node learns the line to run over there; the other hears of it once; after it both are connected', async () => {
  await using b = await startNode({ name: 'b', models: endlessModels() })
  await using a = await startNode({ name: 'a', peers: [{ name: 'b', addr: b.address }] })
  const refused = await eventOf(a, 'peer.refused')
  assert.match(refused.reason, /b has not admitted this node/)
  assert.equal(refused.hint, `on b, run: qmtcode peers admit ${a.peerId}`)
  const knocked = await eventOf(b, 'peer.knocked')
  assert.deepEqual([knocked.peerId, knocked.name], [a.peerId, 'a'])
  assert.deepEqual(
    (await b.node.trust.list()).map(({ peerId, source, trust }) => ({ peerId, source, trust })),
    [{ peerId: a.peerId, source: 'knock', trust: 'unknown' }],
  )
  await assert.rejects(a.node.peers.models(b.peerId).offers(), fails('not_admitted', /has not admitted/, /peers admit/))
  await b.node.trust.admit(a.peerId)
  await eventOf(a, 'peer.connected')
  await eventOf(b, 'peer.connected')
  assert.deepEqual(await a.node.peers.models(b.peerId).offers(), [OFFER])
  assert.equal(b.events.filter((event) => event.type === 'peer.knocked').length, 1)
})

test('open trust lets unknown peers use models, and says so in the handshake', async () => {
  await using b = await startNode({ name: 'b', trust: 'open', models: endlessModels() })
  await using a = await startNode({ name: 'a', peers: [{ name: 'b', addr: b.address }] })
  await connected(a, b)
  assert.deepEqual(await a.node.peers.models(b.peerId).offers(), [OFFER])
  assert.equal((await b.node.peers.list()).find((peer) => peer.peerId === a.peerId)?.trust, 'unknown')
})

test('a ban cuts a live call within a second, and the other side is told that it was refused', async () => {
  const models = endlessModels()
  await using pair = await startPair({ b: { models } })
  const { a, b } = pair
  const parts = a.node.peers.models(b.peerId).stream(REQUEST)[Symbol.asyncIterator]()
  await parts.next()
  const begun = performance.now()
  const cut = assert.rejects(parts.next(), (error) => isAppError(error))
  await b.node.trust.ban(a.peerId)
  await cut
  await models.aborted
  assert.ok(performance.now() - begun < 1_000)
  assert.match((await eventOf(a, 'peer.refused')).reason, /closed the connection before the handshake: this node is banned there/)
  await assert.rejects(a.node.peers.models(b.peerId).offers(), fails('not_admitted', /banned there/))
  assert.equal((await b.node.peers.list()).find((peer) => peer.peerId === a.peerId)?.state, 'offline')
})

test('taking away the use of a peer ends the calls to it, and giving it back needs no restart', async () => {
  const models = endlessModels()
  await using pair = await startPair({ b: { models } })
  const { a, b } = pair
  const parts = a.node.peers.models(b.peerId).stream(REQUEST)[Symbol.asyncIterator]()
  await parts.next()
  const ended = assert.rejects(parts.next(), fails('forbidden', /nothing may be sent/))
  await a.node.trust.use(b.peerId, false)
  await ended
  await assert.rejects(a.node.peers.models(b.peerId).offers(), fails('forbidden', /nothing may be sent to b/))
  await a.node.trust.use(b.peerId, true)
  assert.deepEqual(await a.node.peers.models(b.peerId).offers(), [OFFER])
})

test('a lower role cuts what it no longer covers', async () => {
  const models = endlessModels()
  await using pair = await startPair({ b: { models } })
  const { a, b } = pair
  const parts = a.node.peers.models(b.peerId).stream(REQUEST)[Symbol.asyncIterator]()
  await parts.next()
  const ended = assert.rejects(parts.next(), (error) => isAppError(error))
  await b.node.trust.setRole(a.peerId, 'observer')
  await ended
  await eventually('a knows', async () => (await a.node.peers.list()).some((peer) => peer.roleThere === 'observer'))
  await assert.rejects(a.node.peers.models(b.peerId).offers(), fails('forbidden', /role observer/))
})

for (const [line, listen] of [
  ['TCP', '/ip4/127.0.0.1/tcp/0'],
  ['QUIC', '/ip4/127.0.0.1/udp/0/quic-v1'],
] as const) {
  test(`a peer is dialled by its host name over ${line}`, async () => {
    await using b = await startNode({ name: 'b', listen: [listen] })
    const addr = b.address.replace('/ip4/127.0.0.1', '/dns4/localhost')
    await using a = await startNode({ name: 'a', listen: [listen], peers: [{ name: 'b', addr }] })
    await b.node.trust.admit(a.peerId)
    await connected(a, b)
  })
}

test('a peer that comes back is connected again, and the same Models works over the new connection', async () => {
  const b1 = await startNode({ name: 'b', models: endlessModels() })
  const listen = [b1.address.replace(/\/p2p\/.*/, '')]
  await using a = await startNode({ name: 'a', peers: [{ name: 'b', addr: b1.address }] })
  await b1.node.trust.admit(a.peerId)
  await connected(a, b1)
  const models = a.node.peers.models(b1.peerId)
  assert.deepEqual(await models.offers(), [OFFER])
  await b1.node.stop()
  await eventOf(a, 'peer.disconnected')
  await using b2 = await startNode({ name: 'b', home: b1.home, listen, models: endlessModels() })
  assert.deepEqual(await models.offers(), [OFFER])
  assert.equal(b2.peerId, b1.peerId)
})

test('a peer that is away is an error with the last failure; a name nobody has lists the known ones', async () => {
  const gone = await startNode({ name: 'gone' })
  await gone.node.stop()
  await using a = await startNode({ name: 'a', peers: [{ name: 'b', addr: gone.address }], timings: { dialWait: 300 } })
  await assert.rejects(
    a.node.peers.models(gone.peerId).offers(),
    fails('peer_unreachable', /cannot reach b at .*: connection refused/, /qmtcode doctor b$/),
  )
  const info = await eventually('the failure', async () => (await a.node.peers.list()).find((peer) => peer.problem))
  assert.equal(info.state, 'connecting')
  assert.equal(info.hasRecord, false)
  await assert.rejects(a.node.peers.resolve('c'), fails('not_found', /"c"/, /a, b/))
  await assert.rejects(a.node.peers.resolve('12D3KooWabc'), fails('not_found', /6 characters/))
  assert.deepEqual(await a.node.peers.resolve('a'), { peerId: a.peerId, name: 'a', self: true })
  assert.equal((await a.node.peers.resolve(gone.peerId.slice(0, 14))).peerId, gone.peerId)
})

test('a configured peer that nobody ever answered for is told of by its name', async () => {
  const gone = await startNode({ name: 'gone' })
  await gone.node.stop()
  const addr = gone.address.replace(/\/p2p\/.*/, '')
  await using a = await startNode({ name: 'a', peers: [{ name: 'b', addr }] })
  const [unmet] = await eventually('the failure', async () => {
    const { unmet = [] } = await a.node.peers.status()
    return unmet[0]?.problem === undefined ? undefined : unmet
  })
  assert.deepEqual([unmet?.name, unmet?.address], ['b', addr])
  assert.match(unmet?.problem ?? '', /connection refused/)
})

test('a name that two bear is an error that names both', async () => {
  await using b = await startNode({ name: 'b' })
  await using a = await startNode({ name: 'twin', peers: [{ name: 'twin', addr: b.address }] })
  await assert.rejects(
    a.node.peers.resolve('twin'),
    fails('ambiguous', new RegExp(`${a.peerId} \\(this node\\) and ${b.peerId}`), /peer id/),
  )
})

test("a node that takes an admitted one's name is shown with the problem, and the name stays the first one's", async () => {
  await using b = await startNode({ name: 'b' })
  await using first = await startNode({ name: 'worker', peers: [{ name: 'b', addr: b.address }] })
  await b.node.trust.admit(first.peerId)
  await eventually('the first worker', () => b.node.peers.resolve('worker').catch(() => undefined))
  await using second = await startNode({ name: 'worker', peers: [{ name: 'b', addr: b.address }] })
  await b.node.trust.admit(second.peerId)
  await connected(second, b)
  const info = await eventually('the problem', async () =>
    (await b.node.peers.list()).find((peer) => peer.peerId === second.peerId && peer.problem?.includes('worker')),
  )
  assert.match(info.problem ?? '', new RegExp(`is the name of ${first.peerId}.*qmtcode peers forget`))
  assert.equal(info.name, second.peerId.slice(0, 14))
  assert.equal((await b.node.peers.resolve('worker')).peerId, first.peerId)
})

test('another identity at a known address is an error that names both ids, and nothing is sent to it', async () => {
  const b1 = await startNode({ name: 'b' })
  const addr = b1.address.replace(/\/p2p\/.*/, '')
  const home = await newHome()
  const a1 = await startNode({ name: 'a', home, peers: [{ name: 'b', addr }] })
  await eventOf(a1, 'peer.refused')
  await a1.node.stop()
  await b1.node.stop()
  await using impostor = await startNode({ name: 'b', listen: [addr] })
  await using a = await startNode({ name: 'a', home, peers: [{ name: 'b', addr }] })
  const refused = await eventOf(a, 'peer.refused')
  assert.match(refused.reason, new RegExp(`answers as ${impostor.peerId}, but b was ${b1.peerId} at first contact`))
  assert.match(refused.hint ?? '', new RegExp(`qmtcode peers forget ${b1.peerId}`))
  await assert.rejects(a.node.peers.models(b1.peerId).offers(), fails('conflict', /at first contact/))
  assert.equal(impostor.events.length, 0)
  await a.node.trust.forget(b1.peerId)
  await eventually('the new id is pinned', async () => (await a.node.peers.resolve('b')).peerId === impostor.peerId)
})

test('two nodes that dial each other at the same time settle', async () => {
  const [first, second] = await Promise.all([makeNode(), makeNode()])
  const ports = await Promise.all([freePort(), freePort()])
  const [addrA, addrB] = ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`)
  const nodes = await Promise.all([
    startNode({
      name: 'a',
      home: first.home,
      listen: [addrA ?? ''],
      peers: [{ name: 'b', addr: addrB, peerId: second.node.peerId, role: 'client' }],
      models: endlessModels(),
    }),
    startNode({
      name: 'b',
      home: second.home,
      listen: [addrB ?? ''],
      peers: [{ name: 'a', addr: addrA, peerId: first.node.peerId, role: 'client' }],
      models: endlessModels(),
    }),
  ])
  const [a, b] = nodes
  await using _a = a
  await using _b = b
  await Promise.all([connected(a, b), connected(b, a)])
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    assert.deepEqual(await from.node.peers.models(to.peerId).offers(), [OFFER])
  assert.equal(a.events.filter((event) => event.type === 'peer.connected').length, 1)
})

test('a taken port is an error that names the address, and leaves nothing running', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const { node } = await makeNode({ listen: ['/ip4/127.0.0.1/tcp/0', `/ip4/127.0.0.1/tcp/${port}`] })
  await assert.rejects(node.start(), fails('bad_config', new RegExp(`/ip4/127.0.0.1/tcp/${port}: the port is taken`), /port 0/))
  await node.stop()
  server.close()
})

test('when the default port is taken, the next free one is, and both are named', async () => {
  await using first = await startNode({ listen: [], defaultListen: true })
  await using second = await startNode({ listen: [], defaultListen: true })
  assert.equal(second.report.moved?.from, '/ip4/0.0.0.0/tcp/9000')
  assert.notEqual(first.report.moved?.to, second.report.moved?.to)
  assert.ok(second.report.listenAddresses.every((address) => !address.includes('0.0.0.0') && address.endsWith(`/p2p/${second.peerId}`)))
})

test("an address that is not this machine's is an error", async () => {
  const { node } = await makeNode({ listen: ['/ip4/192.0.2.1/tcp/0'] })
  await assert.rejects(node.start(), fails('bad_config', /no such address/, /0\.0\.0\.0/))
})

test('an identity file with wrong rights stops the start', async () => {
  const { home } = await makeNode()
  await chmod(join(home, 'mesh_identity.key'), 0o640)
  await assert.rejects(makeNode({ home }), fails('bad_config', /mode 640/, /chmod 600/))
})

test('stop is safe twice, and a stopped node does not start', async () => {
  const { node } = await makeNode()
  await node.start()
  await Promise.all([node.stop(), node.stop()])
  await node.stop()
  await assert.rejects(node.start(), /start\(\) of a node that was stopped/)
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
