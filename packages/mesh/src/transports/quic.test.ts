import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { quic } from '@chainsafe/libp2p-quic'
import { isAppError } from '@qmtcode/protocol'
import type { ModelOffer, ModelPart, Models } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { PING_PROTOCOL } from '../links/ping.ts'
import { connected, eventOf, startNode, startPair } from '../testing/mesh-kit.ts'
import { quicInitial } from '../testing/quic-initial.ts'
import { dial, fate, idOf, stranger } from '../testing/stranger.ts'
import { loadQuic } from './quic.ts'

const V4 = '/ip4/127.0.0.1/udp/0/quic-v1'
const REQUEST = { model: 'demo/one', options: { prompt: [] } }
const OFFER: ModelOffer = { id: 'demo/one', provider: 'demo', model: 'one', slots: 2, inFlight: 0 }

/** As many parts of 8 KiB as asked; `sent` counts what was taken from it, `aborted` resolves when the caller left. */
function floodModels(parts: number): Models & { sent: number; aborted: Promise<void> } {
  const aborted = Promise.withResolvers<void>()
  const models = {
    sent: 0,
    aborted: aborted.promise,
    offers: () => Promise.resolve([OFFER]),
    async *stream(_: unknown, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<ModelPart> {
      signal?.addEventListener('abort', () => aborted.resolve())
      for (; models.sent < parts; models.sent += 1) {
        if (signal?.aborted === true) return
        yield { type: 'text-delta', id: '1', delta: 'x'.repeat(8_192) }
      }
    },
  }
  return models
}

for (const listen of [V4, '/ip6/::1/udp/0/quic-v1', '/udp/0/quic']) {
  test(`two nodes link over QUIC at ${listen}: 16 MiB arrive, whole and in order`, async () => {
    await using pair = await startPair({ a: { listen: [] }, b: { listen: [listen], models: floodModels(2_048) } })
    assert.match(pair.b.address, /\/udp\/[1-9]\d+\/quic-v1\/p2p\//)
    assert.match((await eventOf(pair.a, 'peer.connected')).address, /\/udp\/\d+\/quic-v1$/)
    let chars = 0
    for await (const part of pair.a.node.peers.models(pair.b.peerId).stream(REQUEST)) {
      if (part.type === 'text-delta') chars += part.delta.length
    }
    assert.equal(chars, 2_048 * 8_192)
  })
}

test('over QUIC a reader that stops holds the sender back, and one that leaves ends the call over there', async () => {
  const models = floodModels(Infinity)
  await using pair = await startPair({ a: { listen: [] }, b: { listen: [V4], models } })
  const parts = pair.a.node.peers.models(pair.b.peerId).stream(REQUEST)[Symbol.asyncIterator]()
  await parts.next()
  let before = -1
  await eventually('the sender rests', () => {
    const rests = models.sent === before
    before = models.sent
    return rests
  })
  assert.ok(models.sent < 200, `${models.sent} parts of 8 KiB were sent ahead`)
  await parts.return?.()
  await models.aborted
})

test('over QUIC a stranger gets ping and handshake, nothing else, and loses its connection when it sends more than it needs', async () => {
  await using b = await startNode({ name: 'b', listen: [V4] })
  await using friend = await stranger('tls', [quic()])
  await b.node.trust.admit(idOf(friend), { role: 'observer' })
  await using node = await stranger('tls', [quic()])
  const unknown = await dial(node, b)
  const admitted = await dial(friend, b)
  assert.equal(await fate(unknown, PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  assert.match(await fate(unknown, '/qmt/directory/1', new Uint8Array(32)), /^(reset|closed)$/)
  for (const connection of [unknown, admitted]) {
    for (let i = 0; i < 300 && connection.status === 'open'; i += 1) {
      const stream = await connection.newStream(PING_PROTOCOL).catch(() => undefined)
      stream?.abort(new Error('only opened'))
    }
  }
  await eventually('the stranger is cut', () => unknown.status !== 'open')
  assert.match(await fate(admitted, '/ipfs/id/1.0.0'), /^answered /, 'the admitted is not')
})

test('over QUIC a banned peer has no connection', async () => {
  await using b = await startNode({ name: 'b', listen: [V4] })
  await using node = await stranger('tls', [quic()])
  await b.node.trust.ban(idOf(node))
  const connection = await dial(node, b)
  assert.equal(await fate(connection, PING_PROTOCOL, new Uint8Array(32)), 'reset')
})

test('over QUIC who sends a first packet and nothing more holds nobody up', async () => {
  await using b = await startNode({ name: 'b', listen: [V4] })
  await using node = await stranger('tls', [quic()])
  const socket = createSocket('udp4')
  const port = Number(/udp\/(\d+)/.exec(b.address)?.[1])
  for (let i = 0; i < 50; i += 1) socket.send(quicInitial(), port, '127.0.0.1')
  await once(socket, 'message') // the node works on them
  const begun = performance.now()
  assert.equal(await fate(await dial(node, b), PING_PROTOCOL, new Uint8Array(32)), 'answered 32')
  assert.ok(performance.now() - begun < 4_000, 'it waited for their timeout, 6 s')
  socket.close()
})

test('a node that stops over QUIC is noticed, and found again when it is back', async () => {
  await using pair = await startPair({ b: { listen: [V4] } })
  const { a, b } = pair
  await b.node.stop()
  await eventOf(a, 'peer.disconnected')
  const listen = [b.address.replace(/\/p2p\/.*/, '')]
  await using again = await startNode({ name: 'b', home: b.home, listen })
  await connected(a, again)
})

test('a platform without the native part is told so, and that TCP works', async () => {
  await assert.rejects(
    loadQuic(() => Promise.reject(new Error('Cannot find native binding'))),
    (error) => {
      assert.ok(isAppError(error, 'bad_config'))
      assert.match(error.message, /@chainsafe\/libp2p-quic has no native part for /)
      assert.match(error.hint ?? '', /TCP works/)
      return true
    },
  )
})
