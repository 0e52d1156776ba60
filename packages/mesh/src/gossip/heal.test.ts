import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { heard, startGossipers } from '../testing/gossip-kit.ts'
import type { Gossiper } from '../testing/gossip-kit.ts'

const holds = ({ texts }: Gossiper): string =>
  [...texts.digest()]
    .map(([key, version]) => `${key} ${version}`)
    .toSorted()
    .join('\n')
const arePartners = (a: Gossiper, b: Gossiper): boolean =>
  a.node.gossip.partners().includes(b.peerId) || b.node.gossip.partners().includes(a.peerId)

test('two sides write while they are cut, and hold the same once they meet, by what each asks the other for', async () => {
  await using mesh = await startGossipers(['A', 'B', 'C', 'D'], {
    links: [
      ['A', 'B'],
      ['C', 'D'],
    ],
    decided: [['B', 'C']],
  })
  const [a, b, c, d] = [mesh.get('A'), mesh.get('B'), mesh.get('C'), mesh.get('D')]
  await Promise.all([a.say('gone', 'before'), d.say('changed', 'before')])
  await Promise.all([heard(d, a, 'gone', 'before'), heard(a, d, 'changed', 'before')])

  await b.node.trust.setRole(c.peerId, 'client')
  await eventually('B and C are cut', () => !arePartners(b, c))
  await a.say('new', 'of A')
  await a.say('gone', '')
  await d.say('new', 'of D')
  await d.say('changed', 'once')
  await d.say('changed', 'twice')
  await eventually('each side agrees', () => holds(a) === holds(b) && holds(c) === holds(d))
  assert.equal(d.texts.read(`${a.peerId}/new`), undefined)
  assert.equal(a.texts.read(`${d.peerId}/changed`)?.value, 'before')

  // Nothing waits to be pushed over a cut: what passes now is asked for by its digest.
  await b.node.trust.setRole(c.peerId, 'member')
  await eventually('all four agree', () => new Set(mesh.all.map(holds)).size === 1)
  for (const at of mesh.all) {
    assert.equal(at.texts.read(`${a.peerId}/new`)?.value, 'of A')
    assert.equal(at.texts.read(`${d.peerId}/new`)?.value, 'of D')
    assert.equal(at.texts.read(`${d.peerId}/changed`)?.value, 'twice')
    assert.equal(at.texts.read(`${a.peerId}/gone`)?.value, undefined)
  }
})

test('what a banned node said while it was none is given on to nobody', async () => {
  await using mesh = await startGossipers(['A', 'B', 'C', 'D'], {
    links: [
      ['A', 'B'],
      ['B', 'C'],
    ],
    decided: [['B', 'D']],
  })
  const [a, b, c, d] = [mesh.get('A'), mesh.get('B'), mesh.get('C'), mesh.get('D')]
  await b.node.trust.setRole(d.peerId, 'client')
  await eventually('B and D are cut', () => !arePartners(b, d))
  await c.say('x', 'held')
  await heard(a, c, 'x', 'held')
  await b.node.trust.ban(c.peerId)
  await b.say('after', 'the ban')
  await b.node.trust.setRole(d.peerId, 'member')
  await eventually('D holds what B gives', () => holds(d) === holds(b) && holds(b) !== '')
  assert.equal(d.texts.read(`${b.peerId}/after`)?.value, 'the ban')
  assert.deepEqual(d.texts.ofAuthor(c.peerId), [])
  assert.equal(a.texts.ofAuthor(c.peerId).length, 1, 'A bans nobody')
})
