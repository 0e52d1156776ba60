import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAppError, silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { eventually, rawCall } from '@qmtcode/testing'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../handshake/hello.ts'
import { connected, newHome, startNode } from '../testing/mesh-kit.ts'
import type { TestNode } from '../testing/mesh-kit.ts'
import { HELLO, dial, fate, idOf, stranger } from '../testing/stranger.ts'
import { newSigner } from '../testing/signer.ts'
import type { Signer } from '../testing/signer.ts'
import { createBanList } from './ban-list.ts'
import { createBanNews } from './ban-news.ts'
import { openKnownPeersFile } from './known-peers-file.ts'
import { createMembership } from './membership.ts'
import { openBan, signBan } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import { createTrustBook } from './trust-book.ts'

const rowOf = async (at: TestNode, peerId: PeerId) => (await at.node.peers.list()).find((peer) => peer.peerId === peerId)
const isBannedAt = (at: TestNode, peerId: PeerId) =>
  eventually(`banned at ${at.node.name}`, async () => (await rowOf(at, peerId))?.trust === 'banned')

test('words on a peer come to the same, in whatever order they arrive', async () => {
  const [root, admin, peer] = await Promise.all([newSigner(), newSigner(), newSigner()])
  const say = (by: Signer, at: number, lifted?: true): Promise<MeshBan> =>
    signBan({ root: root.self, peer: peer.self, by: by.self, at, lifted }, [], by.key)
  const cases: [string, MeshBan[], boolean][] = [
    ['a ban', [await say(admin, 1)], true],
    ['lifted by its signer', [await say(admin, 1), await say(admin, 2, true)], false],
    ['banned again', [await say(admin, 1), await say(admin, 2, true), await say(admin, 3)], true],
    ["an admin lifts its own, not the root's", [await say(root, 1), await say(admin, 1), await say(admin, 5, true)], true],
    ["the root lifts everybody's", [await say(admin, 1), await say(root, 2), await say(root, 3, true)], false],
    [
      "an admin's ban after that: the root's word stands, whatever date the other has",
      [await say(root, 3, true), await say(admin, 4)],
      false,
    ],
    ['the root bans it again', [await say(root, 3, true), await say(admin, 1), await say(root, 4)], true],
  ]
  for (const [name, bans, expected] of cases) {
    for (const ordered of [bans, bans.toReversed(), [...bans, ...bans]]) {
      const content = { bans: [] as MeshBan[] }
      const list = createBanList(content)
      for (const ban of ordered) list.add(ban)
      assert.equal(list.isBannedIn(root.self, peer.self), expected, name)
      assert.equal(createBanList({ bans: content.bans }).isBannedIn(root.self, peer.self), expected, `${name}, read again`)
    }
  }
  const lifting = await say(admin, 2, true)
  await assert.rejects(openBan(lifting), (error) => isAppError(error, 'bad_request', 'forbidden')) // of no ancestor
})

test('the signer of a ban, or the root, lifts it in the mesh; others are told who could', async () => {
  await using a = await startNode({ name: 'a' })
  await using bee = await startNode({ name: 'b' })
  await using cee = await startNode({ name: 'c', peers: [{ name: 'root', addr: a.address }] })
  await bee.node.trust.join((await a.node.trust.invite({ role: 'admin' })).url)
  await cee.node.trust.join((await bee.node.trust.invite()).url)
  await connected(bee, cee)
  await connected(a, cee)
  await bee.node.trust.ban(cee.peerId, { mesh: true })
  await isBannedAt(a, cee.peerId)
  await bee.node.trust.unban(cee.peerId)
  await eventually('not banned at a', async () => (await rowOf(a, cee.peerId))?.trust !== 'banned')

  await a.node.trust.ban(cee.peerId, { mesh: true })
  await isBannedAt(bee, cee.peerId)
  await assert.rejects(bee.node.trust.unban(cee.peerId), (error) => isAppError(error, 'forbidden') && /root/.test(error.hint ?? ''))
  await assert.rejects(a.node.trust.unban(bee.peerId), (error) => isAppError(error, 'not_found'))
  await a.node.trust.unban(cee.peerId)
  await eventually('c is a client at b again', async () => (await rowOf(bee, cee.peerId))?.role === 'client')
  await connected(bee, cee)
  await assert.rejects(
    bee.node.trust.ban(cee.peerId, { mesh: true }),
    (error) => isAppError(error, 'forbidden') && /only the root bans it there again/.test(error.message),
  )
})

test('a node that was away while x was banned refuses it once it met any member', async () => {
  const root = await startNode({ name: 'root' })
  await using bee = await startNode({ name: 'b' })
  const away = await startNode({ name: 'away' })
  const x = await startNode({ name: 'x' })
  await bee.node.trust.join((await root.node.trust.invite({ role: 'member' })).url)
  await away.node.trust.join((await root.node.trust.invite({ role: 'member' })).url)
  await x.node.trust.join((await root.node.trust.invite({ role: 'member' })).url)
  await connected(root, x)
  await connected(root, bee)
  await away.node.stop()
  await x.node.stop()
  await root.node.trust.ban(x.peerId, { mesh: true })
  await isBannedAt(bee, x.peerId)
  await root.node.stop()

  await using back = await startNode({ name: 'away', home: away.home, peers: [{ name: 'bee', addr: bee.address }] })
  await isBannedAt(back, x.peerId)
  await using again = await startNode({ name: 'x', home: x.home, peers: [{ name: 'away', addr: back.address }] })
  await eventually('x is told', async () => /banned/.test((await rowOf(again, back.peerId))?.problem ?? ''))
  assert.ok(!back.events.some((event) => event.type === 'peer.connected' && event.peerId === x.peerId))
})

const follow = rawCall(1, { method: 'follow', params: {} })

test('a peer is served when its bans were taken, and after two seconds where it does not tell them', async () => {
  await using peer = await stranger()
  await using mute = await stranger()
  await using host = await startNode({ name: 'host' })
  const asked = Promise.withResolvers<() => void>()
  await peer.handle('/qmt/bans/1', (stream) => asked.resolve(() => stream.abort(new Error('enough'))))
  await mute.handle('/qmt/bans/1', () => {})
  for (const node of [peer, mute]) await host.node.trust.admit(idOf(node), { role: 'client' })
  const hello = encodeHello({ ...HELLO, state: 'admitted', services: ['bans'] })

  const connection = await dial(peer, host)
  assert.match(await fate(connection, HANDSHAKE_PROTOCOL, hello), /answered/)
  const tell = await asked.promise
  assert.equal(await fate(connection, '/qmt/directory/1', follow, 300), 'silent')
  const served = fate(connection, '/qmt/directory/1', follow)
  tell()
  assert.match(await served, /answered/)

  const muted = await dial(mute, host)
  assert.match(await fate(muted, HANDSHAKE_PROTOCOL, hello), /answered/)
  const begunAt = performance.now()
  assert.match(await fate(muted, '/qmt/directory/1', follow, 20_000), /answered/)
  assert.ok(performance.now() - begunAt > 1_500)
})

test('a ban cuts here within a second and everywhere connected within five', async (t) => {
  await using root = await startNode({ name: 'root' })
  await using bee = await startNode({ name: 'b' })
  await using cee = await startNode({ name: 'c' })
  await bee.node.trust.join((await root.node.trust.invite({ role: 'admin' })).url)
  await cee.node.trust.join((await bee.node.trust.invite()).url)
  await connected(bee, cee)
  const cutAt = (at: TestNode): Promise<number> =>
    eventually(`${at.node.name} cut c`, () =>
      at.events.some(({ type, peerId }) => type === 'peer.disconnected' && peerId === cee.peerId),
    ).then(() => performance.now())
  const begunAt = performance.now()
  await root.node.trust.ban(cee.peerId, { mesh: true })
  const thereMs = (await cutAt(bee)) - begunAt
  t.diagnostic(`cut at another member after ${thereMs.toFixed(0)} ms`)
  assert.ok(thereMs < 5_000)

  await root.node.trust.unban(cee.peerId)
  bee.events.length = 0
  await connected(bee, cee)
  const since = performance.now()
  await bee.node.trust.ban(cee.peerId)
  const hereMs = (await cutAt(bee)) - since
  t.diagnostic(`cut here after ${hereMs.toFixed(0)} ms`)
  assert.ok(hereMs < 1_000)
})

test('a peer that greets while its node stops is asked for no bans', async () => {
  const [{ key, self }, peer] = await Promise.all([newSigner(), newSigner()])
  const file = await openKnownPeersFile(join(await newHome(), 'known_peers.json'))
  const components = { clock: systemClock, log: silentLogger, file, key, content: file.content, addresses: () => [] }
  const trust = createTrustBook(components, { self, configured: [], open: false })
  const membership = createMembership({ ...components, trust }, { self })
  let asked = 0
  const bans = createBanNews({ ...components, trust, membership, clientOf: () => void (asked += 1) })
  await bans.stop()
  bans.join(peer.self)
  bans.leave(peer.self)
  assert.equal(asked, 0)
})
