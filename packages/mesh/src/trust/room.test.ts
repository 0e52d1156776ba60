import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newSigner } from '../testing/signer.ts'
import type { Signer } from '../testing/signer.ts'
import { seeded } from '../testing/seeded.ts'
import { createBanList } from './ban-list.ts'
import type { BanList } from './ban-list.ts'
import { issueGrant } from './grant.ts'
import type { Chain } from './grant.ts'
import { signBan } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import { createShares } from './shares.ts'
import type { Owner } from './shares.ts'

const owner = (branch: string, signer = branch, isRoot = false): Owner => ({ branch, signer, isRoot })

/** Takes one more of `of`, as the lists do: something of the others goes, or the newcomer has no room. False: the latter. */
function takeOne(shares: ReturnType<typeof createShares<object>>, of: Owner): boolean {
  const group = shares.givesWay(of)
  const gone = group?.isOwn ? undefined : group?.things[0]
  if (gone) shares.remove(gone)
  if (group && !gone) return false
  shares.add({}, of)
  return true
}

test('room that signers share: whatever some bring, another has its part, and the root has room always', () => {
  const random = seeded(Number(process.env['QMT_SEED'] ?? 1))
  for (let round = 0; round < 50; round += 1) {
    const shares = createShares<object>({ max: 60, maxPerSigner: 20 })
    const hoarders = Array.from({ length: 2 + random(6) }, (_, nth) => owner(`h${random(3)}`, `h${nth}`))
    for (let at = 0; at < 300; at += 1) takeOne(shares, hoarders[random(hoarders.length)] ?? owner('h'))
    let got = 0
    while (got < 100 && takeOne(shares, owner('honest'))) got += 1
    assert.ok(got >= 14, `another branch gets its part of what is left: ${got}`)
    for (let at = 0; at < 60; at += 1) assert.ok(takeOne(shares, owner('root', 'root', true)), 'the root, over all others')
    assert.equal(takeOne(shares, owner('late')), false, "nothing of the root's goes for others")
    assert.equal(takeOne(shares, owner('other root', 'other root', true)), true, 'but for the root of another mesh')
  }
})

/** 5,000 bans by ten admins that one admin let in; signatures are not looked at by the list. */
async function flood(list: BanList, { root, first }: { root: Signer; first: Signer }): Promise<number> {
  const parent = await issueGrant({ to: first.self, role: 'admin' }, { ...root, parent: [] }, 1)
  let kept = 0
  for (let nth = 0; nth < 12; nth += 1) {
    const by = await newSigner()
    const chain = await issueGrant({ to: by.self, role: 'admin' }, { ...first, parent }, 1)
    for (let peer = 0; peer < 500; peer += 1) kept += list.add(madeUp({ root, by, chain, peer: `${nth}-${peer}` })) ? 1 : 0
  }
  return kept
}
const madeUp = ({ root, by, chain, peer }: { root: Signer; by: Signer; chain: Chain; peer: string }): MeshBan => {
  const name = peer.replaceAll('-', 'x').replaceAll('0', 'A')
  const statement = { v: 1, root: root.self, peer: `12D3KooW${name.padEnd(44, 'z')}`, by: by.self, at: 5 }
  return { token: `${Buffer.from(JSON.stringify(statement)).toString('base64url')}.x`, chain: by === root ? [] : [...chain] }
}

test("bans of admins that one admin let in leave room for another admin's, and for all of the root's", async () => {
  const [root, first, other, peer, low] = await Promise.all([newSigner(), newSigner(), newSigner(), newSigner(), newSigner()])
  const content = { bans: [] as MeshBan[] }
  const list = createBanList(content)
  assert.ok((await flood(list, { root, first })) >= 5_000)
  assert.equal(content.bans.length, 5_000)
  const parent = await issueGrant({ to: other.self, role: 'admin' }, { ...root, parent: [] }, 1)
  const chain = await issueGrant({ to: low.self, role: 'client' }, { ...other, parent }, 1)
  for (let nth = 0; nth < 200; nth += 1)
    assert.ok(list.add(madeUp({ root, by: other, chain, peer: `90-${nth}` })), `ban ${nth} of the other`)
  for (let nth = 0; nth < 200; nth += 1)
    assert.ok(list.add(madeUp({ root, by: root, chain: [], peer: `91-${nth}` })), `ban ${nth} of the root`)
  assert.ok(list.add(await signBan({ root: root.self, peer: peer.self, by: root.self, at: 6 }, [], root.key)))
  assert.ok(list.isBannedIn(root.self, peer.self))
  assert.equal(content.bans.length, 5_000)
  assert.equal(createBanList({ bans: [...content.bans] }).after(0).length, 5_000)
})
