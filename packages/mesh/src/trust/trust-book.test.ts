import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { isAppError, nodeNameSchema, systemClock } from '@qmtcode/protocol'
import type { Clock, ErrorCode, PeerId } from '@qmtcode/protocol'
import type { ConfiguredPeer } from '../node-types.ts'
import { openKnownPeersFile } from './known-peers-file.ts'
import { newSigner } from '../testing/signer.ts'
import { issueGrant } from './grant.ts'
import { createRateWindow } from './rate-window.ts'
import { createTrustBook } from './trust-book.ts'
import type { TrustBook } from './trust-book.ts'

const newPeerId = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString() as PeerId
const [self, a, b, c] = await Promise.all([newPeerId(), newPeerId(), newPeerId(), newPeerId()])

async function bookFile(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), 'qmt-trust-')), 'known_peers.json')
}
async function openBook(
  path: string,
  configured: ConfiguredPeer[] = [],
  options: { open?: boolean; clock?: Clock } = {},
): Promise<TrustBook> {
  const file = await openKnownPeersFile(path)
  return createTrustBook({ clock: options.clock ?? systemClock, file }, { self, configured, open: options.open ?? false })
}
const peer = (fields: Partial<ConfiguredPeer>): ConfiguredPeer => ({ name: 'gpu', use: true, labels: [], ...fields })
const fails = (code: ErrorCode, message: RegExp, hint?: RegExp) => (error: unknown) => {
  assert.ok(isAppError(error, code), String(error))
  assert.match(error.message, message)
  if (hint) assert.match(error.hint ?? '', hint)
  return true
}

test('an unknown peer has no role; admitted, it has one; decisions outlive a restart', async () => {
  const path = await bookFile()
  const book = await openBook(path)
  assert.deepEqual(book.standing(a), { state: 'unknown', use: false, open: false })
  assert.equal((await book.admit(a, { name: 'ann' })).role, 'client')
  await book.setRole(a, 'member')
  await book.use(a, true)
  await book.ban(b)
  const again = await openBook(path)
  assert.deepEqual(again.standing(a), { state: 'admitted', role: 'member', use: true, open: false })
  assert.equal(again.nameOf(a), 'ann')
  assert.deepEqual(again.standing(b), { state: 'banned', use: false, open: false })
  await again.forget(a)
  assert.equal(again.standing(a).state, 'unknown')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(join(path, '..')), ['known_peers.json'])
})

test('a configured peer is an observer that may be used, unless the configuration says otherwise', async () => {
  const book = await openBook(await bookFile(), [peer({ peerId: a }), peer({ name: 'x', peerId: b, role: 'client', use: false })])
  assert.deepEqual(book.standing(a), { state: 'admitted', role: 'observer', use: true, open: false })
  assert.deepEqual(book.standing(b), { state: 'admitted', role: 'client', use: false, open: false })
  await assert.rejects(book.setRole(b, 'admin'), fails('conflict', /x has role = "client"/, /\[\[mesh\.peers\]\]/))
  await assert.rejects(book.use(b, true), fails('conflict', /x has use = false/))
  await book.setRole(a, 'client')
  await book.use(a, false)
  assert.deepEqual(book.standing(a), { state: 'admitted', role: 'client', use: false, open: false })
  await book.ban(a)
  assert.equal(book.standing(a).state, 'banned')
})

test('first contact pins the id of a peer that is configured by address; a change names both ids and the command', async () => {
  const path = await bookFile()
  const configured = peer({ addr: '/ip4/10.0.0.7/tcp/9000' })
  const book = await openBook(path, [configured])
  await book.pinConfigured(configured, a)
  assert.equal(book.standing(a).role, 'observer')
  const again = await openBook(path, [configured])
  await again.pinConfigured(configured, a)
  await assert.rejects(again.pinConfigured(configured, b), (error) =>
    fails('conflict', new RegExp(`${b}.*gpu was ${a} at first contact`), new RegExp(`qmtcode peers forget ${a}`))(error),
  )
  assert.equal(again.standing(b).state, 'unknown')
  await again.forget(a)
  await again.pinConfigured(configured, b)
  assert.equal(again.nameOf(b), 'gpu')
})

test('a configured id that does not answer is an error that names both', async () => {
  const configured = peer({ addr: `/ip4/10.0.0.7/tcp/9000/p2p/${a}` })
  const book = await openBook(await bookFile(), [configured])
  await assert.rejects(book.pinConfigured(configured, b), fails('conflict', new RegExp(`${b}.*${a}`), /replace addr = /))
  await assert.rejects(book.pinConfigured(configured, self), fails('bad_config', /this node itself/))
})

test('two peer ids of one configured peer are an error', async () => {
  await assert.rejects(
    async () => {
      const book = await openBook(await bookFile(), [peer({ addr: `/ip4/10.0.0.7/tcp/9000/p2p/${a}`, peerId: b })])
      book.standing(c)
    },
    fails('bad_config', /two peer ids/),
  )
})

test('an advertised name belongs to who bore it first, and never to another configured peer', async () => {
  const book = await openBook(await bookFile(), [peer({ peerId: c })])
  assert.equal(await book.pinName(a, 'worker'), true)
  assert.equal(await book.pinName(b, 'worker'), false)
  assert.equal(await book.pinName(b, 'gpu'), false)
  assert.equal(await book.pinName(c, 'gpu'), true)
  await book.forget(a)
  assert.equal(await book.pinName(b, 'worker'), true)
})

test('no peer may call itself by the name of this node, of an admitted peer, or by a peer id', async () => {
  const file = await openKnownPeersFile(await bookFile())
  const book = createTrustBook({ clock: systemClock, file }, { self, name: 'laptop', configured: [], open: false })
  await book.admit(a, { name: 'gpu' })
  assert.equal(await book.pinName(b, 'gpu'), false)
  assert.equal(await book.pinName(b, 'laptop'), false)
  assert.equal(await book.pinName(a, 'gpu'), true)
  assert.equal(await book.pinName(b, 'worker'), true)
  for (const name of ['gpu', 'laptop', 'worker']) await assert.rejects(book.admit(c, { name }), fails('conflict', /another peer/))
  await assert.rejects(book.admit(c, { name: b }), fails('bad_request', /no peer id/))
  assert.equal(nodeNameSchema.safeParse(c).success, false)
})

test('open trust makes unknown peers observers, and bans still hold', async () => {
  const book = await openBook(await bookFile(), [], { open: true })
  assert.deepEqual(book.standing(a), { state: 'unknown', role: 'observer', use: false, open: true })
  await book.ban(a)
  assert.deepEqual(book.standing(a), { state: 'banned', use: false, open: false })
})

test('unban gives no more than what was said before the ban, whatever a grant gives; not after a restart, a renewal, a new key', async () => {
  const path = await bookFile()
  const [root, old, now] = await Promise.all([newSigner(), newSigner(), newSigner()])
  const granted = (to: PeerId) => issueGrant({ to, role: 'member' }, { ...root, parent: [] }, Date.now())
  const stateOf = (book: TrustBook, peerId = old.self) => [book.standing(peerId).state, book.standing(peerId).role]
  const book = await openBook(path)
  const chain = await granted(old.self)
  await book.update(() => (book.grants.pinRoot(root.self), book.grants.keep(old.self, chain)))
  assert.deepEqual(stateOf(book), ['admitted', 'member'])
  await book.setRole(old.self, 'observer')
  await book.ban(old.self)
  const again = await openBook(path)
  await again.lift(old.self, [])
  assert.deepEqual(stateOf(again), ['admitted', 'observer'])
  await again.ban(old.self)
  assert.equal((await again.admit(old.self)).role, 'observer', 'nor an admission that names no role')
  await again.ban(old.self)
  await again.lift(old.self, [])
  const renewed = await granted(old.self)
  await again.update(() => again.grants.keep(old.self, renewed))
  const third = await openBook(path)
  assert.deepEqual(stateOf(third), ['admitted', 'observer'])
  const ofNewKey = await granted(now.self)
  await third.move(old.self, now.self, Date.now())
  await third.update(() => third.grants.keep(now.self, ofNewKey))
  assert.deepEqual(
    [stateOf(third, now.self), stateOf(third)],
    [
      ['admitted', 'observer'],
      ['banned', undefined],
    ],
  )
  await third.setRole(now.self, 'member')
  assert.deepEqual(stateOf(await openBook(path), now.self), ['admitted', 'member'])
})

test('who was admitted by a person is unknown after its ban is lifted, and no grant gives it more than it had', async () => {
  const book = await openBook(await bookFile())
  const [root, bearer] = await Promise.all([newSigner(), newSigner()])
  await book.admit(bearer.self, { role: 'client' })
  await book.ban(bearer.self)
  await book.lift(bearer.self, [])
  assert.deepEqual(book.standing(bearer.self), { state: 'unknown', use: false, open: false })
  const chain = await issueGrant({ to: bearer.self, role: 'admin' }, { ...root, parent: [] }, Date.now())
  await book.update(() => (book.grants.pinRoot(root.self), book.grants.keep(bearer.self, chain)))
  assert.equal(book.standing(bearer.self).role, 'client')
})

test('trust takes whole peer ids only, and not this node', async () => {
  const book = await openBook(await bookFile())
  await assert.rejects(book.admit('12D3KooWabcdef' as PeerId), fails('bad_request', /no peer id/))
  await assert.rejects(book.ban(self), fails('bad_request', /this node itself/))
  await assert.rejects(book.setRole(a, 'member'), fails('not_found', /not admitted/, /peers admit/))
})

test('knocks are bounded, told once a peer and five an hour, and leave the list when decided', async () => {
  let now = 0
  const book = await openBook(await bookFile(), [], { clock: { now: () => now, monotonic: () => now } })
  const ids = await Promise.all(Array.from({ length: 7 }, newPeerId))
  const told = ids.map((peerId) => book.knock({ peerId, name: 'n', address: '/ip4/10.0.0.1/tcp/1' }))
  assert.deepEqual(told, [true, true, true, true, true, false, false])
  now += 3_600_001
  assert.equal(book.knock({ peerId: ids[0] ?? a, name: 'n', address: '' }), false)
  assert.equal(book.knock({ peerId: ids[6] ?? a, name: 'n', address: '' }), true)
  assert.equal((await book.list()).filter((known) => known.source === 'knock').length, 7)
  await book.admit(ids[0] ?? a)
  assert.equal((await book.list()).filter((known) => known.source === 'knock').length, 6)
  for (let i = 0; i < 120; i += 1)
    book.knock({ peerId: `${'1'.repeat(43)}${100 + i}`.replaceAll('0', 'A') as PeerId, name: 'n', address: '' })
  assert.equal((await book.list()).filter((known) => known.source === 'knock').length, 100)
})

test('a corrupt file is an error that says where, and stays as it is', async () => {
  const path = await bookFile()
  for (const [text, where] of [
    ['{ "version": 1, "peers": {', /is corrupt/],
    ['{ "version": 2 }', /corrupt at version/],
    [`{ "version": 1, "peers": { "${a}": { "role": "king" } } }`, /corrupt at peers\..*role/],
    [`{ "version": 1, "grants": { "${a}": ["garbage"] } }`, /corrupt at grants\.12D3\w+: this is no grant/],
    [`{ "version": 1, "own": { "${a}": ["garbage"] } }`, /corrupt at own\.12D3/],
    [`{ "version": 1, "bans": [{ "token": "garbage", "chain": [] }] }`, /corrupt at bans\.0/],
    ['{ "version": 1, "rotations": ["garbage"] }', /corrupt at rotations/],
  ] as const) {
    await writeFile(path, text)
    await assert.rejects(openKnownPeersFile(path), fails('bad_config', where, /mv .*\.bad/))
    assert.equal(await readFile(path, 'utf8'), text)
  }
})

test('a rate window takes its limit a key, and again after the window', () => {
  let now = 0
  const window = createRateWindow({ clock: { now: () => now, monotonic: () => now } }, { limit: 2, windowMs: 1_000 })
  assert.deepEqual([window.take('x'), window.take('x'), window.take('x'), window.take('y')], [true, true, false, true])
  now = 1_001
  assert.equal(window.take('x'), true)
})
