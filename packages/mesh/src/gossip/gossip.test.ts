import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heard, startGossipers } from '../testing/gossip-kit.ts'

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
