import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { eventOf, newHome, startNode } from '../testing/mesh-kit.ts'
import type { TestNode } from '../testing/mesh-kit.ts'
import { rotateIdentity } from './rotate-identity.ts'

const hintsOf = (at: TestNode): string => at.events.map((event) => (event.type === 'peer.refused' ? event.hint : '')).join('\n')

test('a configured peer_id whose node has a new key: the error says which line to write, and whether the old key signed it', async () => {
  const home = await newHome()
  const listen = async (options: { listen?: string[] } = {}) => await startNode({ name: 'gpu', home, ...options })
  const old = await listen()
  const addr = old.address.replace(/\/p2p\/.*$/, '')
  const friendHome = await newHome()
  const peers = [{ name: 'gpu', addr, peerId: old.peerId }]
  const friend = await startNode({ name: 'friend', home: friendHome, peers })
  await eventOf(friend, 'peer.refused')
  await old.node.stop()
  const { before, after } = await rotateIdentity(
    { clock: systemClock },
    { identityFile: join(home, 'mesh_identity.key'), knownPeersFile: join(home, 'known_peers.json') },
  )
  await using again = await listen({ listen: [addr] })
  assert.equal(again.peerId, after)
  const wanted = `replace peer_id = "${before}" by peer_id = "${after}"`
  await eventually('the line to write', () => hintsOf(friend).includes(`the old key signed the new one: in [[mesh.peers]] gpu, ${wanted}`))
  await friend.node.stop()

  // Another that just sits there: nothing vouches for it.
  await again.node.stop()
  await using _impostor = await startNode({ name: 'gpu', listen: [addr] })
  await using later = await startNode({ name: 'friend', home: await newHome(), peers })
  await eventually('not signed', () => /nothing signed by the old key .* ask its person/.test(hintsOf(later)))
})
