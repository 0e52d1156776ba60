import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { LIMITS, silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { signEntry } from './entry.ts'
import { createIntake } from './intake.ts'
import { createKeptSet } from './kept-set.ts'
import type { GossipEntry } from './types.ts'

const identity = async () => {
  const key = await generateKeyPair('Ed25519')
  return { key, self: peerIdFromPrivateKey(key).toString() as PeerId }
}
const [here, author, other, messenger] = await Promise.all([identity(), identity(), identity(), identity()])
const from = messenger.self
const said = (id: string, version: number, payload = 'text', by = author): Promise<GossipEntry> =>
  signEntry('texts', { key: `${by.self}/${id}`, version, payload }, by)

function start(options: { banned?: PeerId[]; maxEntries?: number; maxPerAuthor?: number } = {}) {
  const { banned = [], maxEntries, maxPerAuthor = 10 } = options
  const set = createKeptSet<string>({ name: 'texts', self: here.self, maxPerAuthor, maxEntries, parse: ({ payload }) => payload })
  const intake = createIntake({ clock: systemClock, log: silentLogger, isBanned: (id) => banned.includes(id), onSigned: () => {} })
  return { set, intake, take: (entry: GossipEntry) => intake.take(set, entry, from) }
}

test('news once; the same and what is older are known', async () => {
  const { take, set } = start()
  assert.equal(await take(await said('a', 2, 'new')), 'news')
  assert.equal(await take(await said('a', 2, 'other')), 'known')
  assert.equal(await take(await said('a', 1, 'old')), 'known')
  assert.equal(set.read(`${author.self}/a`)?.value, 'new')
})

test('what its author did not say is refused, and counted as forged', async () => {
  const { take, set, intake } = start()
  const entry = await said('a', 1)
  const forged: GossipEntry[] = [
    { ...entry, payload: 'changed' },
    { ...entry, version: 9 },
    { ...entry, key: `${author.self}/b` },
    { ...entry, signature: 'AAAA' },
    { ...entry, author: other.self },
    await signEntry('texts', { key: `${author.self}/a`, version: 3, payload: 'x' }, { key: other.key, self: author.self }),
    await signEntry('other-set', { key: entry.key, version: 3, payload: 'x' }, author),
  ]
  for (const each of forged) assert.equal(await take(each), 'refused')
  assert.deepEqual([intake.refused.forged, [...set.all()].length], [forged.length, 0])
})

test('too large, of a banned author, of this node itself: nothing of it is taken', async () => {
  const { take, intake } = start({ banned: [other.self] })
  const large = { ...(await said('a', 1)), payload: 'x'.repeat(LIMITS.gossipEntryBytes + 1) }
  assert.equal(await take(large), 'refused')
  assert.equal(await take(await said('a', 1, 'text', other)), 'refused')
  assert.equal(await take(await said('a', 1, 'text', here)), 'known')
  assert.deepEqual(intake.refused, { forged: 0, tooLarge: 1, tooMany: 0, banned: 1, malformed: 0 })
})

test('an author has so many entries and no more: its oldest go, and do not come back', async () => {
  const { take, set } = start({ maxPerAuthor: 3 })
  for (let i = 1; i <= 5; i += 1) assert.equal(await take(await said(`k${i}`, i)), 'news')
  assert.deepEqual(
    set.ofAuthor(author.self).map(({ entry }) => entry.version),
    [3, 4, 5],
  )
  assert.equal(await take(await said('k1', 1)), 'known')
})

test('a full set takes no more authors', async () => {
  const { take, set } = start({ maxEntries: 1 })
  assert.equal(await take(await said('a', 1)), 'news')
  assert.equal(set.wants(`${other.self}/a`, 1), false)
  assert.equal(await take(await said('a', 1, 'text', other)), 'known')
})

test('a messenger that forges again and again is not listened to for a minute; a flood is refused', async () => {
  const { take, intake } = start()
  const entry = await said('a', 1)
  for (let i = 0; i <= 20; i += 1) await take({ ...entry, payload: `changed ${i}` })
  assert.equal(intake.isMuted(from), true)
  assert.equal(intake.isMuted(other.self), false)
  const flood = Array.from({ length: 200 }, () => entry)
  let pushes = 0
  while (intake.mayPush(other.self, flood) && pushes < 1_000) pushes += 1
  assert.ok(pushes >= 50 && pushes < 200, `${pushes} pushes of 200 entries`)
})
