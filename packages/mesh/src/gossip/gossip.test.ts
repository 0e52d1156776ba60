import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { heard, startGossipers } from '../testing/gossip-kit.ts'
import { createGossip } from './gossip.ts'

test('what C says arrives at A through B, what it changes too, and what it removes', async () => {
  await using mesh = await startGossipers(['A', 'B', 'C'], {
    links: [
      ['A', 'B'],
      ['B', 'C'],
    ],
  })
  const [a, c] = [mesh.get('A'), mesh.get('C')]
  await c.say('x', 'one')
  await heard(a, c, 'x', 'one')
  assert.equal(a.texts.read(`${c.peerId}/x`)?.from, mesh.get('B').peerId)
  await c.say('x', 'two')
  await heard(a, c, 'x', 'two')
  await c.say('x', '')
  await heard(a, c, 'x', undefined as unknown as string)
  assert.deepEqual(a.node.gossip.partners(), [mesh.get('B').peerId])
})

test('20 nodes in a ring with chords converge', async (context) => {
  const names = Array.from({ length: 20 }, (_, i) => `n${i}`)
  const links = names.flatMap((name, i): [string, string][] => [
    [name, names[(i + 1) % 20] ?? ''],
    ...(i < 10 ? [[name, names[i + 10] ?? ''] as [string, string]] : []),
  ])
  await using mesh = await startGossipers(names, { links })
  const began = performance.now()
  await Promise.all(mesh.all.map((node) => node.say('hello', `of ${node.node.name}`)))
  await Promise.all(mesh.all.flatMap((at) => mesh.all.map((from) => heard(at, from, 'hello', `of ${from.node.name}`))))
  const pushed = mesh.all.reduce((sum, node) => sum + node.node.gossip.stats().pushed, 0)
  context.diagnostic(
    `20 nodes, 30 links, 20 entries: the same everywhere after ${Math.round(performance.now() - began)} ms; ${pushed} pushed`,
  )
})

test('a member that greets while its node stops is not exchanged with', async () => {
  const [key, other] = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
  const [self, peerId] = [key, other].map((one) => peerIdFromPrivateKey(one).toString() as PeerId) as [PeerId, PeerId]
  const gossip = createGossip(
    { clock: systemClock, log: silentLogger, key, isBanned: () => false, linked: () => [], clientOf: () => undefined },
    { self, starts: 1 },
  )
  await gossip.stop()
  gossip.join(peerId)
  const partners = gossip.partners()
  gossip.leave(peerId)
  assert.deepEqual(partners, [])
})
