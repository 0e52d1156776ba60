import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAppError, silentLogger, systemClock } from '@qmtcode/protocol'
import type { Clock, ErrorCode, PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { createMeshNode } from '../node.ts'
import { newHome, startNode } from '../testing/mesh-kit.ts'
import type { TestNode } from '../testing/mesh-kit.ts'
import { HELLO } from '../testing/stranger.ts'
import { newSigner } from '../testing/signer.ts'
import type { Signer } from '../testing/signer.ts'
import { GRANT_MS, issueGrant, openChain, readChain } from './grant.ts'
import type { Chain } from './grant.ts'
import { openBan, signBan } from './mesh-ban.ts'
import { openKnownPeersFile } from './known-peers-file.ts'
import { openInviteLink, proofOf } from './invite-link.ts'
import { createMembership } from './membership.ts'
import { signToken } from './signed.ts'
import { createTrustBook } from './trust-book.ts'

const DAY_MS = 86_400_000

const [root, b, c, d, e] = await Promise.all([newSigner(), newSigner(), newSigner(), newSigner(), newSigner()])
const fails = (code: ErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(isAppError(error, code), String(error))
  assert.match(error.message, message)
  return true
}
const chainTo = async (...bearers: Signer[]): Promise<Chain> => {
  let parent: Chain = []
  let granter = root
  for (const bearer of bearers) {
    parent = await issueGrant({ to: bearer.self, role: 'admin' }, { ...granter, parent }, 1_000)
    granter = bearer
  }
  return parent
}
const roleAt = (at: TestNode, of: PeerId): Promise<string | undefined> =>
  at.node.trust.list().then((peers) => peers.find((peer) => peer.peerId === of && peer.trust === 'admitted')?.role)

test('a chain of three verifies offline; a fourth, a longer time, a higher role, and anything altered do not', async () => {
  const three = await chainTo(b, c, d)
  assert.deepEqual(
    (await openChain(three)).map(({ depth }) => depth),
    [1, 2, 3],
  )
  await assert.rejects(issueGrant({ to: e.self, role: 'client' }, { ...d, parent: three }, 1_000), fails('forbidden', /last depth/))
  const client = await issueGrant({ to: c.self, role: 'client' }, { ...b, parent: await chainTo(b) }, 1_000)
  await assert.rejects(issueGrant({ to: d.self, role: 'client' }, { ...c, parent: client }, 1_000), fails('forbidden', /admin/))
  const [first = '', second = ''] = client
  const says = readChain(client)[1]
  const forged = await signToken('grant', { ...says, by: c.self, to: d.self, depth: 3 }, c.key)
  await assert.rejects(openChain([first, second, forged]), fails('forbidden', /no admin/))
  const selfIssued = await signToken('grant', { ...readChain([first])[0], to: c.self }, c.key)
  await assert.rejects(openChain([selfIssued]), fails('bad_request', /not signed/))
  const long = await signToken('grant', { ...readChain([first])[0], until: 1_000 + GRANT_MS + 1 }, root.key)
  await assert.rejects(openChain([long]), fails('bad_request', /30 days/))
  await assert.rejects(openChain([second]), fails('bad_request', /hang together/))
  const payload = Buffer.from(JSON.stringify({ ...readChain([first])[0], role: 'observer' })).toString('base64url')
  await assert.rejects(openChain([`${payload}.${first.split('.')[1]}`]), fails('bad_request', /altered/))
  await assert.rejects(openChain([await signToken('ban', readChain([first])[0] ?? {}, root.key)]), fails('bad_request', /not signed/))
})

test('a ban counts if the root or an ancestor signed it, and no other', async () => {
  const chain = await chainTo(b, c)
  const ban = (by: Signer, peer: PeerId) => signBan({ root: root.self, peer, by: by.self, at: 1 }, chain, by.key)
  assert.equal((await openBan(await ban(root, e.self))).peer, e.self)
  assert.equal((await openBan(await ban(b, c.self))).by, b.self)
  await assert.rejects(openBan(await ban(d, c.self)), fails('forbidden', /no ancestor/))
  await assert.rejects(openBan(await ban(c, c.self)), fails('forbidden', /no ancestor/))
  await assert.rejects(openBan(await ban(b, e.self)), fails('forbidden', /no ancestor/))
  await assert.rejects(openBan(await ban(b, root.self)), fails('forbidden', /root/))
  const other = await ban(b, c.self)
  await assert.rejects(openBan({ ...other, token: `${other.token}A` }), fails('bad_request', /altered/))
})

test('an invite is redeemed once, at its inviter, by whoever holds it; the grant that comes lets another member of the mesh admit', async () => {
  await using a = await startNode({ name: 'a' })
  await using bee = await startNode({ name: 'b' })
  const { url } = await a.node.trust.invite({ name: 'bee', role: 'admin' })
  const joined = await bee.node.trust.join(url)
  assert.deepEqual([joined.role, joined.root, joined.name, joined.use], ['admin', a.peerId, 'a', true])
  assert.equal(await roleAt(a, bee.peerId), 'admin')
  assert.equal(await roleAt(bee, a.peerId), 'admin')
  assert.equal((await a.node.trust.list())[0]?.name, 'bee')

  await using cee = await startNode({ name: 'c' })
  await assert.rejects(cee.node.trust.join(url), fails('conflict', /used up/))
  const second = await bee.node.trust.invite({ labels: ['gpu'] })
  assert.equal(second.root, a.peerId)
  assert.equal((await cee.node.trust.join(second.url)).root, a.peerId)
  // a never heard of c: its chain says it.
  const link = await a.node.trust.invite({ ttlMs: 60_000 })
  await assert.rejects(cee.node.trust.join(`${link.url}x`), fails('bad_request', /altered/))
  await using dee = await startNode({
    name: 'd',
    home: cee.home,
    identityFile: join(cee.home, 'mesh_identity.key'),
    peers: [{ name: 'root', addr: a.address }],
  })
  assert.equal(dee.peerId, cee.peerId)
  await eventually('a admits c by its chain', async () => (await roleAt(a, cee.peerId)) === 'client')
  assert.equal((await a.node.trust.list()).find((peer) => peer.peerId === cee.peerId)?.source, 'grant')
  assert.deepEqual((await a.node.peers.list()).find((peer) => peer.peerId === cee.peerId)?.labels, ['gpu'])
})

test('expired, revoked, altered, of another node: each is refused with its code', async () => {
  let now = Date.now()
  const clock: Clock = { now: () => now, monotonic: systemClock.monotonic }
  await using a = await startNode({ name: 'a', clock })
  await using guest = await startNode({ name: 'g' })
  const revoked = await a.node.trust.invite()
  await a.node.trust.revoke(revoked.id)
  await assert.rejects(guest.node.trust.join(revoked.url), fails('forbidden', /revoked/))
  const short = await a.node.trust.invite({ ttlMs: 60_000 })
  now += 61_000
  await assert.rejects(guest.node.trust.join(short.url), fails('forbidden', /expired/))
  await assert.rejects(a.node.trust.join((await a.node.trust.invite()).url), fails('bad_request', /this node itself/))
  await assert.rejects(guest.node.trust.join('qmt://mesh/join/abc'), fails('bad_request', /the invite is cut off/))
  await assert.rejects(guest.node.trust.join('https://example.org'), fails('bad_request', /begins with/))
  await assert.rejects(a.node.trust.invite({ uses: 0 }), fails('bad_request', /uses/))
  assert.equal(await roleAt(a, guest.peerId), undefined)

  const made = await a.node.trust.invite()
  const home = a.home
  const address = a.address
  await a.node.stop()
  await using other = await startNode({ name: 'other', listen: [address.replace(/\/p2p\/.*$/, '')] })
  await assert.rejects(guest.node.trust.join(made.url), fails('conflict', /another node answers/))
  assert.notEqual(other.home, home)
})

test('fifty joins race for one use: exactly one wins, durably; a proof is of use to its joiner alone', async () => {
  const path = join(await newHome(), 'known_peers.json')
  const file = await openKnownPeersFile(path)
  const components = {
    clock: systemClock,
    log: silentLogger,
    key: root.key,
    content: file.content,
    addresses: () => ['/ip4/127.0.0.1/tcp/1'],
  }
  const trust = createTrustBook({ clock: systemClock, file }, { self: root.self, configured: [], open: false })
  const membership = createMembership({ ...components, trust }, { self: root.self })
  const link = await openInviteLink((await membership.invite()).url)
  const guests = await Promise.all(Array.from({ length: 50 }, newSigner))
  const ask = (joiner: PeerId, proof: string) => membership.asked(joiner, { ...HELLO, join: { id: link.id, proof } })
  const replayed = await ask(b.self, proofOf(link, c.self))
  assert.equal(replayed.refused?.code, 'bad_request')
  const answers = await Promise.all(guests.map(async ({ self }) => ({ self, ...(await ask(self, proofOf(link, self))) })))
  const [winner, ...more] = answers.filter(({ granted }) => granted)
  assert.deepEqual([more.length, answers.filter(({ refused }) => refused?.code === 'conflict').length], [0, 49])
  const { content } = await openKnownPeersFile(path)
  assert.deepEqual(content.invites[0]?.joined, [winner?.self])
  // Its grant may have been lost on the way: the winner may ask again.
  assert.ok((await ask(winner?.self ?? b.self, proofOf(link, winner?.self ?? b.self))).granted)
})

test('a grant with less than ten days is renewed by the admin it came from; one that ended admits nobody', async () => {
  let now = Date.now()
  const clock: Clock = { now: () => now, monotonic: systemClock.monotonic }
  await using a = await startNode({ name: 'a', clock, timings: { upkeep: 30 } })
  await using guest = await startNode({ name: 'g', clock, timings: { upkeep: 30 } })
  const { url } = await a.node.trust.invite()
  const before = (await guest.node.trust.join(url)).expiresAt
  const ownEnd = async (): Promise<number> => {
    const { content } = await openKnownPeersFile(join(guest.home, 'known_peers.json'))
    return Math.min(...Object.values(content.own).flatMap((chain) => readChain(chain).map(({ until }) => until)))
  }
  assert.equal(await ownEnd(), before)
  now += 21 * DAY_MS
  await eventually('renewed', async () => (await ownEnd()) > before)
  assert.equal(await ownEnd(), now + GRANT_MS)
  assert.equal(await roleAt(a, guest.peerId), 'client')
  await guest.node.stop()
  now += 31 * DAY_MS
  await eventually('it ended', async () => (await roleAt(a, guest.peerId)) === undefined)
})

test('a ban of the root reaches every member and cuts what its mesh had let in; own decisions stay', async () => {
  await using a = await startNode({ name: 'a' })
  await using bee = await startNode({ name: 'b' })
  await using cee = await startNode({ name: 'c' })
  await bee.node.trust.join((await a.node.trust.invite({ role: 'admin' })).url)
  await cee.node.trust.join((await bee.node.trust.invite()).url)
  await eventually('c is connected at b', async () =>
    (await bee.node.peers.list()).some((peer) => peer.peerId === cee.peerId && peer.state === 'connected'),
  )
  await a.node.trust.ban(cee.peerId, { mesh: true })
  await eventually('b has cut c', async () => {
    const row = (await bee.node.peers.list()).find((peer) => peer.peerId === cee.peerId)
    return row?.trust === 'banned' && row.state !== 'connected'
  })
  await assert.rejects(cee.node.trust.ban(bee.peerId, { mesh: true }), fails('forbidden', /no ancestor/))
  assert.equal((await bee.node.trust.admit(cee.peerId)).trust, 'admitted')
})

test('createMeshNode reads a file with grants and bans again', async () => {
  const home = await newHome()
  const options = {
    identityFile: join(home, 'key'),
    knownPeersFile: join(home, 'known.json'),
    listen: [],
    name: 'x',
    peers: [],
    version: '1',
  }
  const file = await openKnownPeersFile(options.knownPeersFile)
  file.content.roots.push(root.self)
  file.content.grants[b.self] = [...(await issueGrant({ to: b.self, role: 'member' }, { ...root, parent: [] }, Date.now()))]
  file.content.bans.push(await signBan({ root: root.self, peer: c.self, by: root.self, at: 1 }, [], root.key))
  await file.save()
  await using node = await createMeshNode({ clock: systemClock, log: silentLogger }, { ...options, trust: 'known' })
  const rows = new Map((await node.trust.list()).map((peer) => [peer.peerId, peer]))
  assert.deepEqual(
    [root, b, c].map(({ self }) => rows.get(self)?.role ?? rows.get(self)?.trust),
    ['admin', 'member', 'banned'],
  )
})
