import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerId } from '@qmtcode/protocol'
import { createFoundPeers } from './found-peers.ts'

const id = (text: string): PeerId => text as PeerId

test('a flood of unknown peers takes a hundred places, none of a known one; what nobody repeats is forgotten', () => {
  let now = 0
  const clock = { now: () => now, monotonic: () => now }
  const found = createFoundPeers({ clock, isKnown: (peerId) => peerId === 'friend' })
  found.add(id('friend'), ['/ip4/10.0.0.1/tcp/1', 'rubbish', '/ip4/10.0.0.1/tcp/0'], 'mdns')
  for (let i = 0; i < 1_000; i += 1) found.add(id(`stranger-${i}`), [`/ip4/10.0.0.2/tcp/${i + 1}`], 'mdns')
  assert.deepEqual(found.addressesOf(id('friend')), ['/ip4/10.0.0.1/tcp/1'])
  assert.equal(found.ids().length, 101)
  now = 121_000
  assert.deepEqual(found.ids(), [])
})
