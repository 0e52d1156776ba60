import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { newHome, startNode } from '../testing/mesh-kit.ts'
import { loadPeerId } from './identity-file.ts'
import { rotateIdentity } from './rotate-identity.ts'

const filesOf = (home: string) => ({ identityFile: join(home, 'mesh_identity.key'), knownPeersFile: join(home, 'known_peers.json') })

test('decisions, grants and the pin of an address follow a new key that the old one signed; the old one is banned', async () => {
  const home = await newHome()
  await using host = await startNode({ name: 'host' })
  await using guest = await startNode({ name: 'guest', home })
  await guest.node.trust.join((await host.node.trust.invite({ role: 'admin' })).url)
  await host.node.trust.setRole(guest.peerId, 'member')
  // dials the guest by its address alone: pinned at first contact
  const listen = guest.address.replace(/\/p2p\/.*$/, '')
  await using friend = await startNode({ name: 'friend', peers: [{ name: 'g', addr: listen, role: 'client' }] })
  const roleOf = async (at: typeof host, peerId: string) => (await at.node.trust.list()).find((peer) => peer.peerId === peerId)?.role
  await eventually('pinned', async () => (await roleOf(friend, guest.peerId)) === 'client')
  await guest.node.stop()

  const { before, after, backup } = await rotateIdentity({ clock: systemClock }, filesOf(home))
  assert.equal(before, guest.peerId)
  assert.equal(await loadPeerId(filesOf(home).identityFile), after)
  assert.equal(await loadPeerId(backup), before)
  assert.equal((await stat(backup)).mode & 0o777, 0o600)
  await using again = await startNode({ name: 'guest', home, listen: [listen] })
  assert.equal(again.peerId, after)
  await eventually('the host has followed', async () => (await roleOf(host, after)) === 'member')
  await eventually('the friend has followed', async () => (await roleOf(friend, after)) === 'client')
  assert.equal((await host.node.trust.list()).find((peer) => peer.peerId === before)?.trust, 'banned')
  // The host's person lowered it to a member: a new key is no way to be the admin again that the old grant made it.
  assert.equal((await again.node.trust.invite()).root, after)
})

test('the root of a mesh has a new key: its members follow, and are granted anew', async () => {
  const home = await newHome()
  await using root = await startNode({ name: 'root', home })
  await using member = await startNode({ name: 'member' })
  await member.node.trust.join((await root.node.trust.invite({ role: 'admin' })).url)
  const listen = root.address.replace(/\/p2p\/.*$/, '')
  await root.node.stop()
  const { before, after } = await rotateIdentity({ clock: systemClock }, filesOf(home))
  await using again = await startNode({ name: 'root', home, listen: [listen] })
  await eventually('granted anew', async () => (await member.node.trust.invite()).root === after)
  const rows = new Map((await member.node.trust.list()).map((peer) => [peer.peerId, peer]))
  assert.deepEqual([rows.get(before)?.trust, rows.get(after)?.role], ['banned', 'admin'])
  assert.equal((await again.node.trust.list()).find((peer) => peer.peerId === member.peerId)?.role, 'admin')
})
